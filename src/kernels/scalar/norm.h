// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <span>

#include "kernels/kernels.h"

namespace gradwire::kernels::scalar {

/// Magnitudes of finite values order like their bits.
template <typename T>
T MaxMagnitude(std::span<const T> u) {
  typename Bits<T>::Word largest = 0;
  for (const T x : u) largest = std::max(largest, MagnitudeBits(x));
  return std::bit_cast<T>(largest);
}

// Sums in the order of FORMAT.md, so that every instruction set, and any number of threads, gets the same bits.

inline constexpr size_t kSumLanes = 64, kSumBlock = 1024;

template <typename S, size_t kLanes>
S Fold(std::array<S, kLanes> lanes) {
  for (size_t width = kLanes / 2; width > 0; width /= 2)
    for (size_t j = 0; j < width; ++j) lanes[j] += lanes[j + width];
  return lanes[0];
}

/// Of terms first .. first + n - 1, n up to kSumBlock: lane j sums the block's terms j, j + 64, j + 128, ...; then
/// the lanes are folded in halves. (Fewer lanes would wait for their additions, longer than for the memory.)
template <typename S, typename Term>
S SumOfBlock(size_t first, size_t n, Term&& term) {
  std::array<S, kSumLanes> lanes{};
  const size_t whole = n / kSumLanes * kSumLanes;
  for (size_t i = 0; i < whole; i += kSumLanes)
    for (size_t j = 0; j < kSumLanes; ++j) lanes[j] += term(first + i + j);
  for (size_t i = whole; i < n; ++i) lanes[i - whole] += term(first + i);
  return Fold(lanes);
}

/// Of n terms from `first` on: the sums of blocks are summed alike, and so on; Depth says how many times more. (A sum
/// of one term is that term, so that a depth too many changes nothing.)
template <typename S, int Depth, typename Term>
S SumOfBlocks(size_t first, size_t n, Term&& term) {
  if constexpr (Depth == 0) {
    return SumOfBlock<S>(first, n, term);
  } else {
    constexpr size_t kPart = size_t{1} << 10 * Depth;
    std::array<S, kSumLanes> lanes{};
    for (size_t at = 0; at < n; at += kPart)
      lanes[at / kPart % kSumLanes] += SumOfBlocks<S, Depth - 1>(first + at, std::min(kPart, n - at), term);
    return Fold(lanes);
  }
}

/// Of term(0) .. term(n - 1), n up to 2^40.
template <typename S, typename Term>
S Sum(size_t n, Term&& term) {
  static_assert(kSumBlock == 1024);
  return SumOfBlocks<S, 3>(0, n, term);
}

/// The power of two by which elements are multiplied so that neither their squares nor sums of these leave T: 1 for
/// elements of ordinary size.
template <typename T>
T NormScale(T largest) {
  constexpr T kLarge = sizeof(T) == 4 ? T(0x1p40) : T(0x1p400);
  constexpr int kLimit = std::numeric_limits<T>::max_exponent - 2;
  if (largest >= 1 / kLarge && largest <= kLarge) return 1;
  return std::ldexp(T{1}, std::clamp(-std::ilogb(largest), -kLimit, kLimit));
}

template <typename T>
T NormOf(std::span<const T> u, Norm norm) {
  const T largest = MaxMagnitude(u);
  if (norm == Norm::kMax || largest == 0) return largest;
  const T scale = NormScale(largest);
  const T sum = Sum<T>(u.size(), [&](size_t i) {
    const T x = std::abs(u[i]) * scale;
    return norm == Norm::kL1 ? x : x * x;
  });
  const T value = (norm == Norm::kL1 ? sum : std::sqrt(sum)) / scale;
  return std::max(std::min(value, std::numeric_limits<T>::max()), largest);
}

template <typename T>
double SumOfMagnitudes(std::span<const T> u, double scale) {
  return Sum<double>(u.size(), [&](size_t i) { return std::abs(static_cast<double>(u[i])) * scale; });
}

template <typename T>
double SumOfSquares(std::span<const T> u, double scale) {
  return Sum<double>(u.size(), [&](size_t i) {
    const double x = static_cast<double>(u[i]) * scale;
    return x * x;
  });
}

template <typename T>
double SquaredDistance(std::span<const T> a, std::span<const T> b) {
  return Sum<double>(a.size(), [&](size_t i) {
    const auto x = static_cast<double>(a[i] - b[i]);
    return x * x;
  });
}

}  // namespace gradwire::kernels::scalar
