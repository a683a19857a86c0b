// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

#include "kernels/codes.h"
#include "kernels/kernels.h"
#include "kernels/scalar/add.h"
#include "kernels/scalar/draw.h"
#include "kernels/scalar/levels.h"
#include "kernels/scalar/norm.h"

namespace gradwire::kernels::scalar {

// Random rounding of a block. First where each element stands between two levels, then the toss, then what is left:
// three loops over a block that lies in the first-level cache, each without a branch. The first and the last go by the
// parts of the block that share a norm.

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

/// Elements that are not negative: so the code of an element, of any sign, is the sum of its height and its draw, cut.
template <typename T>
struct CountsDown {
  std::span<const T> u;
  bool operator()(size_t i) const { return !(u[i] < 0); }
};

template <typename T>
void StandEvenly(const Levels<T>& levels, std::span<const T> u, uint16_t* low, typename Bits<T>::Word* threshold) {
  for (size_t i = 0; i < u.size(); ++i) {
    const T y = Height(u[i], levels, static_cast<T>(levels.count));
    const auto below = static_cast<int32_t>(y);
    low[i] = static_cast<uint16_t>(below);
    threshold[i] = ThresholdOf(y - static_cast<T>(below));
  }
}

template <typename T>
void StandAmongPowers(const Levels<T>& levels, std::span<const T> u, uint16_t* low, typename Bits<T>::Word* threshold) {
  using Word = typename Bits<T>::Word;
  constexpr int kMantissa = Bits<T>::kMantissa, kSpare = 8 * sizeof(T) - kMantissa;
  constexpr auto kOne = static_cast<int32_t>(std::bit_cast<Word>(T{1}) >> kMantissa);
  constexpr T kBelowOne = 1 - std::numeric_limits<T>::epsilon() / 2;
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
}

template <typename T>
T NormOfBlock(const Dithering& how, std::span<const T> u) {
  const T norm = scalar::NormOf(u, how.norm);
  if (!how.clip) return norm;
  return std::min(norm, T(2.5) * (scalar::NormOf(u, Norm::kL2) / std::sqrt(static_cast<T>(u.size()))));
}

/// Where codes begin in a payload of n elements.
template <typename T, typename Byte>
Byte* PackedOf(Byte* payload, const Dithering& how, size_t n) {
  return payload + how.norms(n) * sizeof(T);
}

inline CodeSpace SpaceOf(const Dithering& how) { return CodeSpace(2 * how.count + 1); }

/// Calls take(k, at, part) for the parts of a block that share a norm: the k-th, whose first element is `at`.
template <typename T, typename Take>
void ForNorms(const Dithering& how, std::span<T> block, Take&& take) {
  for (size_t k = 0, at = 0; at < block.size(); ++k, at += how.block)
    take(k, at, block.subspan(at, std::min(how.block, block.size() - at)));
}

/// The elements u from `first` on, a block or what is left, of a piece of n.
template <typename T>
void DitherBlock(const Dithering& how, const Draws& draws, size_t n, size_t first, std::span<T> u, std::byte* payload) {
  Levels<T> levels[kBlock / kLeastNorm];
  typename Bits<T>::Word threshold[kDrawBlock];
  uint16_t low[kDrawBlock], up[kDrawBlock], codes[kBlock];
  ForNorms(how, u, [&](size_t k, size_t at, std::span<T> part) {
    const T norm = NormOfBlock<T>(how, part);
    std::memcpy(payload + (first / how.block + k) * sizeof(T), &norm, sizeof(T));
    levels[k] = LevelsOf(how, norm);
    how.powers ? StandAmongPowers<T>(levels[k], part, low + at, threshold + at)
               : StandEvenly<T>(levels[k], part, low + at, threshold + at);
  });
  TossBlock<T>(draws, first, u.size(), threshold, CountsDown<T>{u}, up);
  ForNorms(how, u, [&](size_t k, size_t at, std::span<T> part) {
    how.powers ? Leave(levels[k], part, low + at, up + at, codes + at, BinaryLevelValue<T>)
               : Leave(levels[k], part, low + at, up + at, codes + at, LevelValue<T>);
  });
  SpaceOf(how).Pack(n, first, {codes, u.size()}, PackedOf<T>(payload, how, n));
}

template <typename T>
bool EncodeDithered(const Source<T>& source, const Dithering& how, const Draws& draws, std::byte* payload) {
  return ForBlocksOf<T>(source,
                        [&](size_t first, std::span<T> u) { DitherBlock(how, draws, source.n, first, u, payload); });
}

template <typename T>
void AddLevels(const Dithering& how, const Levels<T>& levels, const uint16_t* codes, T weight, std::span<T> out) {
  const auto count = static_cast<int32_t>(levels.count);
  if (how.powers)
    for (size_t i = 0; i < out.size(); ++i) out[i] += weight * BinaryLevelValue(codes[i] - count, levels);
  else
    for (size_t i = 0; i < out.size(); ++i) out[i] += weight * LevelValue(codes[i] - count, levels);
}

/// As SumDithered, of the block `out` from `first` on of n elements.
template <typename T>
size_t SumDitheredBlock(std::span<const Coded<T>> all, const Dithering& how, Into into, size_t n, size_t first,
                        std::span<T> out) {
  const CodeSpace space = SpaceOf(how);
  if (into != Into::kAdd) std::fill(out.begin(), out.end(), T{0});
  for (size_t r = 0; r < all.size(); ++r) {
    uint16_t codes[kBlock];
    space.Unpack(n, first, PackedOf<T>(all[r].bytes, how, n), {codes, out.size()});
    if (LargestCode(codes, out.size()) >= space.symbols) return r;
    ForNorms(how, out, [&](size_t k, size_t at, std::span<T> part) {
      const T norm = ValueAt<T>(all[r].bytes, first / how.block + k);
      AddLevels(how, LevelsOf(how, norm), codes + at, all[r].weight, part);
    });
  }
  return all.size();
}

template <typename T>
size_t SumDithered(std::span<const Coded<T>> all, const Dithering& how, Into into, std::span<T> out) {
  size_t wrong = all.size();
  ForBlocks(out.size(), [&](size_t first, size_t n) {
    wrong = std::min(wrong, SumDitheredBlock(all, how, into, out.size(), first, out.subspan(first, n)));
  });
  return wrong;
}

}  // namespace gradwire::kernels::scalar
