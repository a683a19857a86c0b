// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

namespace gradwire::kernels {

/// Elements that fused kernels take at once, from input to residual, while they lie in the first-level cache; those
/// that share a scale, a norm or an exponent on the wire.
inline constexpr size_t kBlock = 1024;

template <typename T>
inline constexpr T kZeroBlock[kBlock] = {};

/// What an operator encodes, u = scale * v + residual, and where u - C(u) goes. The spans have n elements or none. A
/// block in which u has an element that is infinite or NaN counts as if v were zero there, so that no residual ever has
/// one; who encodes is told.
template <typename T>
struct Source {
  size_t n;
  std::span<const T> v;         ///< none: zeros
  T scale;                      ///< of v
  std::span<const T> residual;  ///< none: zeros
  std::span<T> left;            ///< for u - C(u); may be v or residual itself. None: not wanted
};

}  // namespace gradwire::kernels
