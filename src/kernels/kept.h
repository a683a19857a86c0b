// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace gradwire::kernels {

/// The elements that one payload keeps of a piece; all others are 0.
template <typename T>
struct Kept {
  const uint32_t* positions;  ///< ascending
  const std::byte* values;    ///< T's that need not be aligned
  size_t count;
  T factor;  ///< of the values, by the operator
  T weight;  ///< of the payload
};

}  // namespace gradwire::kernels
