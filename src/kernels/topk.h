// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <span>

#include "kernels/add.h"

namespace gradwire::kernels {

/// The magnitude of the k-th largest |u|, and how many elements of exactly that magnitude belong to the top k.
template <typename T>
struct Threshold {
  typename Bits<T>::Word magnitude;
  size_t ties;
};

/// Exact selection: a histogram of the leading 11 bits of |u| finds the bin of the k-th largest, and only the elements
/// of that bin are partially sorted. 1 <= k <= u.size(); `scratch`: u.size() words.
template <typename T>
Threshold<T> TopKThreshold(std::span<const T> u, size_t k, std::span<typename Bits<T>::Word> scratch) {
  using Word = typename Bits<T>::Word;
  constexpr int kShift = sizeof(Word) * 8 - 1 - 11;
  std::array<uint32_t, 2048> histogram{};
  for (const T x : u) ++histogram[MagnitudeBits(x) >> kShift];
  size_t above = 0;
  Word bin = histogram.size() - 1;
  while (above + histogram[bin] < k) above += histogram[bin--];

  size_t candidates = 0;
  for (const T x : u) {
    const Word magnitude = MagnitudeBits(x);
    scratch[candidates] = magnitude;
    candidates += (magnitude >> kShift) == bin;
  }
  const auto begin = scratch.begin(), kth = begin + static_cast<std::ptrdiff_t>(k - above - 1);
  std::nth_element(begin, kth, begin + static_cast<std::ptrdiff_t>(candidates), std::greater<>());
  const size_t larger = static_cast<size_t>(std::count_if(begin, kth, [&](Word w) { return w > *kth; }));
  return {*kth, k - above - larger};
}

/// Calls take(i) for the top k positions in ascending order; among equal magnitudes the lowest positions are taken.
template <typename T, typename Take>
void ForTopK(std::span<const T> u, Threshold<T> threshold, Take&& take) {
  for (size_t i = 0; i < u.size(); ++i) {
    const auto magnitude = MagnitudeBits(u[i]);
    if (magnitude < threshold.magnitude) continue;
    if (magnitude == threshold.magnitude) {
      if (threshold.ties == 0) continue;
      --threshold.ties;
    }
    take(i);
  }
}

}  // namespace gradwire::kernels
