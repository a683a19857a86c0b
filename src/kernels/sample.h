// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/philox.h"

namespace gradwire::kernels {

/// 64-bit words of a set of n positions.
constexpr size_t SetWords(size_t n) { return (n + 63) / 64; }

/// A uniform subset of k of n positions with k draws, whatever k/n is (R. Floyd; Bentley, "Programming pearls: a sample
/// of brilliance", CACM 1987). `set`: SetWords(n) words; bit i % 64 of word i / 64 is position i. k <= n < 2^32.
inline void SampleSubset(Philox& random, size_t n, size_t k, std::span<uint64_t> set) {
  std::fill(set.begin(), set.end(), uint64_t{0});
  for (size_t j = n - k; j < n; ++j) {
    const size_t drawn = random.Below(static_cast<uint32_t>(j + 1));
    const size_t taken = set[drawn / 64] >> (drawn % 64) & 1 ? j : drawn;
    set[taken / 64] |= uint64_t{1} << (taken % 64);
  }
}

/// Calls take(i) for the positions of a set in ascending order.
template <typename Take>
void ForSet(std::span<const uint64_t> set, Take&& take) {
  for (size_t word = 0; word < set.size(); ++word)
    for (uint64_t left = set[word]; left != 0; left &= left - 1)
      take(64 * word + static_cast<size_t>(std::countr_zero(left)));
}

}  // namespace gradwire::kernels
