// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <span>

#include "kernels/bits.h"

namespace gradwire::kernels::scalar {

/// Magnitudes of finite values order like their bits.
template <typename T>
T MaxMagnitude(std::span<const T> u) {
  typename Bits<T>::Word largest = 0;
  for (const T x : u) largest = std::max(largest, MagnitudeBits(x));
  return std::bit_cast<T>(largest);
}

/// Sum of term(i), i = 0 .. n-1, in the order of FORMAT.md: lane j sums terms j, j+16, j+32, ...; then the lanes are
/// folded in halves. Every instruction set gets the same bits.
template <typename S, typename Term>
S LaneSum(size_t n, Term&& term) {
  constexpr size_t kLanes = 16;
  std::array<S, kLanes> lanes{};
  const size_t whole = n / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes)
    for (size_t j = 0; j < kLanes; ++j) lanes[j] += term(i + j);
  for (size_t i = whole; i < n; ++i) lanes[i - whole] += term(i);
  for (size_t width = kLanes / 2; width > 0; width /= 2)
    for (size_t j = 0; j < width; ++j) lanes[j] += lanes[j + width];
  return lanes[0];
}

template <typename T>
double SumOfMagnitudes(std::span<const T> u, double scale) {
  return LaneSum<double>(u.size(), [&](size_t i) { return std::abs(static_cast<double>(u[i])) * scale; });
}

template <typename T>
double SumOfSquares(std::span<const T> u, double scale) {
  return LaneSum<double>(u.size(), [&](size_t i) {
    const double x = static_cast<double>(u[i]) * scale;
    return x * x;
  });
}

template <typename T>
double SquaredDistance(std::span<const T> a, std::span<const T> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i] - b[i]) * static_cast<double>(a[i] - b[i]);
  return sum;
}

}  // namespace gradwire::kernels::scalar
