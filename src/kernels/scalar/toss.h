// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "kernels/codes.h"
#include "kernels/scalar/draw.h"
#include "kernels/scalar/levels.h"

namespace gradwire::kernels::scalar {

/// Of up to a block, from `first` on, a multiple of kBlock. `bits` begin with it.
template <typename T>
void TossBlockOfSigns(const Draws& draws, size_t first, const Levels<T>& levels, T factor, std::span<const T> u,
                      std::span<T> left, uint8_t* bits) {
  using Word = typename Bits<T>::Word;
  constexpr int kTop = 8 * sizeof(T) - 1;
  constexpr T kHalf = sizeof(T) == 4 ? T(0x1p31) : T(0x1p63);
  Word threshold[kDrawBlock];
  uint16_t turned[kDrawBlock];
  const T one = static_cast<T>(levels.count);  // no constant, for which compilers would branch
  for (size_t i = 0; i < u.size(); ++i)
    threshold[i] = (Word{1} << kTop) - static_cast<Word>(Height(u[i], levels, one) * kHalf);
  TossBlock<T>(draws, first, u.size(), threshold, turned);
  for (size_t i = 0; i < u.size(); ++i) turned[i] = static_cast<uint16_t>(turned[i] != (u[i] < 0));  // now: negative
  for (size_t i = 0; i < left.size(); ++i) left[i] = u[i] - (turned[i] ? -factor : factor);
  PackBits(turned, u.size(), 1, 0, reinterpret_cast<std::byte*>(bits));
}

template <typename T>
void TossSigns(const Draws& draws, T norm, T factor, std::span<const T> u, std::span<T> left, uint8_t* bits) {
  const Levels<T> levels = BinaryLevels(1, norm);
  ForBlocks(u.size(), [&](size_t first, size_t n) {
    TossBlockOfSigns(draws, first, levels, factor, u.subspan(first, n), left.empty() ? left : left.subspan(first, n),
                     bits + first / 8);
  });
}

}  // namespace gradwire::kernels::scalar
