// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "kernels/kernels.h"

namespace gradwire::kernels {

/// A norm in double, as value / scale, where scale is a power of two: no finite vector over- or underflows it.
struct ScaledNorm {
  double value, scale;
};

template <typename T>
ScaledNorm NormScaled(std::span<const T> u, Norm norm) {
  const double largest = static_cast<double>(MaxMagnitude(u));
  if (largest == 0 || norm == Norm::kMax) return {largest, 1};
  const double scale = std::ldexp(1.0, std::clamp(-std::ilogb(largest), -1022, 1022));
  if (norm == Norm::kL1) return {SumOfMagnitudes(u, scale), scale};
  return {std::sqrt(SumOfSquares(u, scale)), scale};
}

}  // namespace gradwire::kernels
