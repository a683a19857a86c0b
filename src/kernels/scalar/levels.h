// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/kernels.h"

namespace gradwire::kernels::scalar {

/// The power of two that brings a norm to where its inverse, and its quotients by levels, are far from the ends of T.
template <typename T>
T ScaleFor(T norm) {
  constexpr T kFar = sizeof(T) == 4 ? T(0x1p64) : T(0x1p512);
  return norm < 1 / kFar ? kFar : norm > kFar ? 1 / kFar : T{1};
}

/// The number so many before one above 0.
template <typename T>
T Before(T x, unsigned numbers) {
  return std::bit_cast<T>(static_cast<typename Bits<T>::Word>(std::bit_cast<typename Bits<T>::Word>(x) - numbers));
}

/// A norm near T's largest number could be rounded beyond it; the unit is then the next smaller one. The inverse is
/// such that no element up to the norm is above the highest level: rounded twice, it is at most two numbers too large.
template <typename T>
Levels<T> EvenLevels(uint32_t count, T norm) {
  const T scale = ScaleFor(norm), back = 1 / scale, most = static_cast<T>(count);
  T unit = norm * scale / most;
  if (!std::isfinite(most * unit * back)) unit = Before(unit, 1);
  T per_unit = unit > 0 ? 1 / unit : T{0};
  per_unit = Before(per_unit, norm * scale * per_unit > most ? 2 : 0);
  return {count, scale, unit, per_unit, back};
}

/// 0, 2^-(count-1), ..., 1/2, 1 of a norm.
template <typename T>
Levels<T> BinaryLevels(uint32_t count, T norm) {
  const T scale = ScaleFor(norm);
  return {count, scale, norm, norm > 0 ? 1 / (norm * scale) : T{0}, 1 / scale};
}

template <typename T>
Levels<T> LevelsOf(const Dithering& how, T norm) {
  return how.powers ? BinaryLevels(how.count, norm) : EvenLevels(how.count, norm);
}

/// |x| in units between levels, at most `most`.
template <typename T>
T Height(T x, const Levels<T>& levels, T most) {
  const T y = std::abs(x) * levels.scale * levels.per_unit;
  return y < most ? y : most;
}

/// A share in [0, 1) as a threshold of draws.
template <typename T>
typename Bits<T>::Word ThresholdOf(T share) {
  constexpr T kAll = sizeof(T) == 4 ? T(0x1p32) : T(0x1p64);
  return static_cast<typename Bits<T>::Word>(share * kAll);
}

/// What +-level stands for.
template <typename T>
T LevelValue(int32_t level, const Levels<T>& levels) {
  return static_cast<T>(level) * levels.unit * levels.back;
}

/// 2^(level - count), by its bits.
template <typename T>
T BinaryFraction(int32_t level, uint32_t count) {
  using Word = typename Bits<T>::Word;
  constexpr Word kOne = std::bit_cast<Word>(T{1}) >> Bits<T>::kMantissa;
  const Word exponent = kOne + static_cast<Word>(level) - static_cast<Word>(count);
  return std::bit_cast<T>(static_cast<Word>(exponent << Bits<T>::kMantissa));
}

/// The same of binary levels, whose unit is the norm.
template <typename T>
T BinaryLevelValue(int32_t level, const Levels<T>& levels) {
  using Word = typename Bits<T>::Word;
  const T value = levels.unit * BinaryFraction<T>(std::abs(level), levels.count);
  const Word taken = Word{0} - Word{level != 0}, sign = Word{level < 0} << (8 * sizeof(T) - 1);
  return std::bit_cast<T>((std::bit_cast<Word>(value) & taken) | sign);
}

}  // namespace gradwire::kernels::scalar
