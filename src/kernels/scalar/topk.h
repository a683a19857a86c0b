// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>

#include "kernels/kernels.h"

namespace gradwire::kernels::scalar {

/// Exact selection: a histogram of the leading 11 bits of |u| finds the bin of the k-th largest, and only the elements
/// of that bin are partially sorted.
template <typename T>
Threshold<T> TopKThreshold(std::span<const T> u, size_t k, std::span<typename Bits<T>::Word> words) {
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
    words[candidates] = magnitude;
    candidates += (magnitude >> kShift) == bin;
  }
  const auto begin = words.begin(), kth = begin + static_cast<std::ptrdiff_t>(k - above - 1);
  std::nth_element(begin, kth, begin + static_cast<std::ptrdiff_t>(candidates), std::greater<>());
  const size_t larger = static_cast<size_t>(std::count_if(begin, kth, [&](Word w) { return w > *kth; }));
  return {*kth, k - above - larger};
}

template <typename T>
void TakeTopK(std::span<T> u, Threshold<T> threshold, std::byte* values, uint32_t* positions) {
  for (size_t i = 0; i < u.size(); ++i) {
    const auto magnitude = MagnitudeBits(u[i]);
    if (magnitude < threshold.magnitude) continue;
    if (magnitude == threshold.magnitude) {
      if (threshold.ties == 0) continue;
      --threshold.ties;
    }
    std::memcpy(values, &u[i], sizeof(T));
    values += sizeof(T);
    *positions++ = static_cast<uint32_t>(i);
    u[i] = 0;
  }
}

}  // namespace gradwire::kernels::scalar
