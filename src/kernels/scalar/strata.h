// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/scalar/draw.h"

namespace gradwire::kernels::scalar {

/// Below n, nearly uniform (within n / 2^64 of it): from the first two lower halves, which no stratum takes.
inline uint32_t DrawnStart(const Draws& draws, size_t n) {
  const Counter c = DrawnBlock(draws, kLowerBlocks);
  return static_cast<uint32_t>((uint64_t{c.c1} * n + (uint64_t{c.c0} * n >> 32)) >> 32);
}

/// T is not asked: positions are the same for both.
template <typename T>
void DrawStrata(const Draws& draws, size_t n, size_t k, uint32_t* positions) {
  const auto size = static_cast<uint32_t>(n / k), longer = static_cast<uint32_t>(n % k);  // so many have one more
  const uint32_t start = DrawnStart(draws, n), room = static_cast<uint32_t>(n) - start;
  for (size_t first = 0; first < k; first += kDrawBlock) {
    const size_t some = std::min(kDrawBlock, k - first);
    uint32_t words[kDrawBlock];
    DrawHalves<double>(draws, first, some, words);
    for (size_t i = 0; i < some; ++i) {
      const auto j = static_cast<uint32_t>(first + i);
      const uint32_t one = j < longer ? 1 : 0;
      const auto within = static_cast<uint32_t>(uint64_t{words[i]} * (size + one) >> 32);
      const uint32_t position = j * size + std::min(j, longer) + within;
      positions[j] = position < room ? position + start : position - room;
    }
  }
}

}  // namespace gradwire::kernels::scalar
