// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "kernels/kernels.h"
#include "kernels/scalar/codes.h"
#include "kernels/scalar/draw.h"

namespace gradwire::kernels::scalar {

// Random rounding, up to kDrawBlock elements at once. First where each element stands between two levels, then the
// toss, then what is left: three loops over a block that lies in the first-level cache, each without a branch.

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

template <typename T, typename Value>
void Leave(const Levels<T>& levels, std::span<T> u, const uint16_t* low, const uint16_t* up, uint16_t* codes,
           Value&& value) {
  const auto count = static_cast<int32_t>(levels.count);
  for (size_t i = 0; i < u.size(); ++i) {
    const int32_t magnitude = low[i] + up[i], level = u[i] < 0 ? -magnitude : magnitude;
    codes[i] = static_cast<uint16_t>(count + level);
    u[i] -= value(level, levels);
  }
}

template <typename T>
void Dither(const Draws& draws, size_t first, const Levels<T>& levels, std::span<T> u, uint16_t* codes) {
  typename Bits<T>::Word threshold[kDrawBlock];
  uint16_t low[kDrawBlock], up[kDrawBlock];
  for (size_t i = 0; i < u.size(); ++i) {
    const T y = Height(u[i], levels, static_cast<T>(levels.count));
    const auto below = static_cast<int32_t>(y);
    low[i] = static_cast<uint16_t>(below);
    threshold[i] = ThresholdOf(y - static_cast<T>(below));
  }
  TossBlock<T>(draws, first, u.size(), threshold, up);
  Leave(levels, u, low, up, codes, LevelValue<T>);
}

template <typename T>
void DitherToPowers(const Draws& draws, size_t first, const Levels<T>& levels, std::span<T> u, uint16_t* codes) {
  using Word = typename Bits<T>::Word;
  constexpr int kMantissa = Bits<T>::kMantissa, kSpare = 8 * sizeof(T) - kMantissa;
  constexpr auto kOne = static_cast<int32_t>(std::bit_cast<Word>(T{1}) >> kMantissa);
  constexpr T kBelowOne = 1 - std::numeric_limits<T>::epsilon() / 2;
  typename Bits<T>::Word threshold[kDrawBlock];
  uint16_t low[kDrawBlock], up[kDrawBlock];
  const auto count = static_cast<int32_t>(levels.count);
  const T lowest = 1 / BinaryFraction<T>(1, levels.count);  // 2^(count - 1)
  for (size_t i = 0; i < u.size(); ++i) {
    const T y = Height(u[i], levels, T{1});
    const Word bits = std::bit_cast<Word>(y);
    const int32_t level = static_cast<int32_t>(bits >> kMantissa) - kOne + count;
    const T share = y * lowest;  // of the lowest level's distance to 0, above it without meaning
    const Word of_mantissa = bits << kSpare, of_share = ThresholdOf(share < kBelowOne ? share : kBelowOne);
    low[i] = static_cast<uint16_t>(level > 0 ? level : 0);
    threshold[i] = level > 0 ? of_mantissa : of_share;
  }
  TossBlock<T>(draws, first, u.size(), threshold, up);
  Leave(levels, u, low, up, codes, BinaryLevelValue<T>);
}

template <typename T>
void AddLevels(const uint16_t* codes, const Levels<T>& levels, T weight, std::span<T> out) {
  const auto count = static_cast<int32_t>(levels.count);
  for (size_t i = 0; i < out.size(); ++i) out[i] += weight * LevelValue(codes[i] - count, levels);
}

template <typename T>
void AddBinaryLevels(const uint16_t* codes, const Levels<T>& levels, T weight, std::span<T> out) {
  const auto count = static_cast<int32_t>(levels.count);
  for (size_t i = 0; i < out.size(); ++i) out[i] += weight * BinaryLevelValue(codes[i] - count, levels);
}

template <typename T>
void TossSigns(const Draws& draws, size_t first, const Levels<T>& levels, T factor, std::span<T> u, uint8_t* bits) {
  using Word = typename Bits<T>::Word;
  constexpr int kTop = 8 * sizeof(T) - 1;
  constexpr T kHalf = sizeof(T) == 4 ? T(0x1p31) : T(0x1p63);
  Word threshold[kDrawBlock];
  uint16_t turned[kDrawBlock];
  const T one = static_cast<T>(levels.count);  // no constant, for which compilers would branch
  for (size_t i = 0; i < u.size(); ++i)
    threshold[i] = (Word{1} << kTop) - static_cast<Word>(Height(u[i], levels, one) * kHalf);
  TossBlock<T>(draws, first, u.size(), threshold, turned);
  for (size_t i = 0; i < u.size(); ++i) {
    turned[i] = static_cast<uint16_t>(turned[i] != (u[i] < 0));  // now: negative
    u[i] -= turned[i] ? -factor : factor;
  }
  PackBits<T>(turned, u.size(), 1, 0, reinterpret_cast<std::byte*>(bits));
}

/// The number whose sign and exponent bits are the code's.
template <typename T>
T PowerValue(uint16_t code) {
  using Word = typename Bits<T>::Word;
  return std::bit_cast<T>(static_cast<Word>(static_cast<Word>(code) << Bits<T>::kMantissa));
}

template <typename T>
void RoundToPowers(const Draws& draws, size_t first, std::span<T> u, uint16_t* codes) {
  using Word = typename Bits<T>::Word;
  constexpr int kMantissa = Bits<T>::kMantissa, kSpare = 8 * sizeof(T) - kMantissa;
  constexpr auto kLargest = static_cast<uint32_t>((Bits<T>::kInfinity >> kMantissa) - 1);
  constexpr uint32_t kNegative = kLargest + 2;
  Word threshold[kDrawBlock];
  uint16_t up[kDrawBlock];
  for (size_t i = 0; i < u.size(); ++i) threshold[i] = static_cast<Word>(std::bit_cast<Word>(u[i]) << kSpare);
  TossBlock<T>(draws, first, u.size(), threshold, up);
  for (size_t i = 0; i < u.size(); ++i) {
    const uint32_t raised = static_cast<uint32_t>(MagnitudeBits(u[i]) >> kMantissa) + up[i];
    const uint32_t exponent = raised < kLargest ? raised : kLargest;
    const auto sign = static_cast<uint32_t>(std::bit_cast<Word>(u[i]) >> (8 * sizeof(T) - 1));
    const auto code = static_cast<uint16_t>((exponent | sign * kNegative) & (0 - uint32_t{exponent != 0}));
    codes[i] = code;
    u[i] -= PowerValue<T>(code);
  }
}

template <typename T>
void AddPowers(const uint16_t* codes, T weight, std::span<T> out) {
  for (size_t i = 0; i < out.size(); ++i) out[i] += weight * PowerValue<T>(codes[i]);
}

}  // namespace gradwire::kernels::scalar
