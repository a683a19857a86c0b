// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>

#include "kernels/codes.h"
#include "kernels/scalar/add.h"
#include "kernels/scalar/draw.h"
#include "kernels/scalar/levels.h"
#include "kernels/scalar/norm.h"

namespace gradwire::kernels::scalar {

/// Whether an element becomes minus: W < 2^31 - 2^31 u / norm, W being its draw, or 2^63 of doubles. Where that is all
/// of the draws, it is more than a Word holds.
template <typename T>
bool IsNegative(const Draws& draws, size_t i, uint32_t upper, T u, const Levels<T>& levels) {
  using Word = typename Bits<T>::Word;
  constexpr Word kHalf = Word{1} << (8 * sizeof(T) - 1);
  const auto share = static_cast<Word>(Height(u, levels, T{1}) * static_cast<T>(kHalf));
  if (u < 0 && share == kHalf) return true;
  return IsBelow<T>(draws, i, upper, /*counts_down=*/false, u < 0 ? kHalf + share : kHalf - share);
}

/// Of the block of u that begins at `first`, which becomes what is left of it. `values`, `bits`: of all blocks.
template <typename T>
void TossSignsOfBlock(bool unit, const Draws& draws, size_t first, std::span<T> u, std::byte* values, uint8_t* bits) {
  const T norm = scalar::NormOf<T>(u, Norm::kL2), value = unit ? T(norm > 0) : norm;
  std::memcpy(values + first / kBlock * sizeof(T), &value, sizeof(T));
  const Levels<T> levels = EvenLevels(1, norm);
  uint32_t upper[kDrawBlock];
  uint16_t negative[kDrawBlock];
  DrawHalves<T>(draws, first, u.size(), upper);
  for (size_t i = 0; i < u.size(); ++i) negative[i] = IsNegative(draws, first + i, upper[i], u[i], levels);
  for (size_t i = 0; i < u.size(); ++i) u[i] -= negative[i] ? -value : value;
  PackBits(negative, u.size(), 1, 0, reinterpret_cast<std::byte*>(bits + first / 8));
}

template <typename T>
bool EncodeTossed(const Source<T>& source, bool unit, const Draws& draws, std::byte* values, uint8_t* bits) {
  return ForBlocksOf<T>(source,
                        [&](size_t first, std::span<T> u) { TossSignsOfBlock(unit, draws, first, u, values, bits); });
}

}  // namespace gradwire::kernels::scalar
