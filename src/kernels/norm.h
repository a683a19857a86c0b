// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "kernels/add.h"

namespace gradwire::kernels {

enum class Norm { kL1, kL2, kMax };

template <typename T>
T MaxMagnitude(std::span<const T> u) {
  typename Bits<T>::Word largest = 0;
  for (const T x : u) largest = std::max(largest, MagnitudeBits(x));
  return std::bit_cast<T>(largest);
}

/// Sum of term(i), i = 0 .. n-1, in the order of FORMAT.md: lane j sums terms j, j+16, j+32, ...; then the lanes are
/// folded in halves. Every instruction set gets the same bits.
template <typename Term>
double LaneSum(size_t n, Term&& term) {
  constexpr size_t kLanes = 16;
  std::array<double, kLanes> lanes{};
  const size_t whole = n / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes)
    for (size_t j = 0; j < kLanes; ++j) lanes[j] += term(i + j);
  for (size_t i = whole; i < n; ++i) lanes[i - whole] += term(i);
  for (size_t width = kLanes / 2; width > 0; width /= 2)
    for (size_t j = 0; j < width; ++j) lanes[j] += lanes[j + width];
  return lanes[0];
}

/// A norm as value / scale, where scale is a power of two: no finite vector over- or underflows it.
struct ScaledNorm {
  double value, scale;
};

template <typename T>
ScaledNorm NormScaled(std::span<const T> u, Norm norm) {
  const double largest = static_cast<double>(MaxMagnitude(u));
  if (largest == 0 || norm == Norm::kMax) return {largest, 1};
  const double scale = std::ldexp(1.0, std::clamp(-std::ilogb(largest), -1022, 1022));
  const auto magnitude = [&](size_t i) { return std::abs(static_cast<double>(u[i])) * scale; };
  if (norm == Norm::kL1) return {LaneSum(u.size(), magnitude), scale};
  return {std::sqrt(LaneSum(u.size(), [&](size_t i) { return magnitude(i) * magnitude(i); })), scale};
}

/// A norm rounded to T; the largest finite T where it is beyond. Never below the largest magnitude.
template <typename T>
T NormOf(std::span<const T> u, Norm norm) {
  const ScaledNorm scaled = NormScaled(u, norm);
  const double limit = static_cast<double>(std::numeric_limits<T>::max());
  return std::max(static_cast<T>(std::min(scaled.value / scaled.scale, limit)), MaxMagnitude(u));
}

}  // namespace gradwire::kernels
