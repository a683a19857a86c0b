// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>

#include "compress/operator.h"
#include "kernels/candidates.h"

namespace gradwire {

/// Room for candidates: those that CollectLarge finds before it stops at `limit`, of a piece of n elements.
template <typename T>
kernels::Candidates<T> TakeCandidates(Lane& lane, size_t n, size_t limit) {
  const size_t room = std::min(n, limit + kernels::kBlock) + kernels::Candidates<T>::kSpare;
  return {lane.scratch.Take<T>(room).data(), lane.scratch.Take<uint32_t>(room).data()};
}

/// A magnitude that a few more than k elements of a source have: by 32 rows of 16 elements, spread over the piece. 0
/// where that is not worth it. Any number would do: what is found does not depend on it (Largest), only how long it
/// takes. A sample's k-th would be too high half of the time, hence four deviations more.
template <typename T>
typename kernels::Bits<T>::Word GuessLeast(const kernels::Source<T>& source, size_t k) {
  constexpr size_t kRow = 16, kRows = 32, kSample = kRow * kRows;
  if (source.n < 4 * kSample) return 0;
  const double expected = static_cast<double>(kSample) * static_cast<double>(k) / static_cast<double>(source.n);
  const auto rank = static_cast<size_t>(expected + 4 * std::sqrt(expected) + 2);
  if (rank >= kSample) return 0;
  alignas(64) T sample[kSample];
  const size_t stride = source.n / kRows;
  const auto part = [](std::span<const T> of, size_t at) { return of.empty() ? of : of.subspan(at, kRow); };
  for (size_t row = 0; row < kRows; ++row) {
    // A row further in its stride each time: of a power of two all would fall into the same few sets of the cache.
    const size_t at = row * stride + row * kRow % (stride - kRow);
    const std::span<T> u(sample + row * kRow, kRow);
    kernels::AddChecked<T>({kRow, part(source.v, at), source.scale, part(source.residual, at), u});
  }
  return kernels::FindThreshold<T>(sample, rank, 0).magnitude;
}

/// The k largest of a source's u, ties to the lower position: exactly, whatever `least`. source.left gets all of u;
/// `finite` says whether it was. Candidates are collected as u passes; where they become many, only the k largest of
/// them stay, and the others must be larger from there on; where they were too few, all is gone through again from 0.
template <typename T>
kernels::Candidates<T> Largest(Lane& lane, const kernels::Source<T>& source, size_t k,
                               typename kernels::Bits<T>::Word least, bool& finite) {
  const size_t limit = std::max<size_t>(4096, 3 * k + 1024);
  kernels::Candidates<T> found = TakeCandidates<T>(lane, source.n, limit);
  auto lowest = least;  // that a candidate may have
  const auto cut = [&] {
    const auto threshold = kernels::FindThreshold<T>({found.values, found.count}, k, lowest);
    kernels::KeepLargest(threshold, found);
    lowest = threshold.magnitude;
    least = lowest + 1;  // one behind it that is equal has a higher position
  };
  const auto collect = [&](const kernels::Source<T>& from) {
    bool all = true;
    while (found.next < from.n) {
      all &= kernels::CollectLarge<T>(from, least, limit, found);
      if (found.count > limit) cut();
    }
    return all;
  };
  finite = collect(source);
  if (found.count < k) {
    found.count = found.next = 0;
    least = lowest = 0;
    collect(source.left.empty() ? source : kernels::Source<T>{source.n, source.left, 1, {}, {}});
  }
  if (found.count > k) cut();
  return found;
}

}  // namespace gradwire
