// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace gradwire::kernels {

/// One payload of a sum, whose layout follows from the number of elements.
template <typename T>
struct Coded {
  const std::byte* bytes;  ///< need not be aligned
  T weight;
};

enum class Norm { kL1, kL2, kMax };

/// How random dithering rounds (FORMAT.md, "qsgd").
struct Dithering {
  Norm norm;
  uint32_t count;       ///< levels above 0
  bool powers = false;  ///< of two, in place of equal distances
  bool clip = false;    ///< the norm is at most 2.5 standard deviations
};

}  // namespace gradwire::kernels
