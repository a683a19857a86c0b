// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/source.h"

namespace gradwire::kernels {

/// One payload of a sum, whose layout follows from the number of elements.
template <typename T>
struct Coded {
  const std::byte* bytes;  ///< need not be aligned
  T weight;
};

enum class Norm { kL1, kL2, kMax };

/// The fewest elements that have a norm of their own.
inline constexpr size_t kLeastNorm = 32;

/// How random dithering rounds (FORMAT.md, "qsgd").
struct Dithering {
  Norm norm;
  uint32_t count;         ///< levels above 0
  bool powers = false;    ///< of two, in place of equal distances
  bool clip = false;      ///< the norm is at most 2.5 standard deviations
  size_t block = kBlock;  ///< elements that share a norm: kBlock, or a power of two below it from kLeastNorm on

  /// Norms of n elements.
  constexpr size_t norms(size_t n) const { return (n + block - 1) / block; }
};

}  // namespace gradwire::kernels
