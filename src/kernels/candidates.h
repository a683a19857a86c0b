// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/bits.h"

namespace gradwire::kernels {

/// Elements of a piece that may be among its largest, in ascending order of position.
template <typename T>
struct Candidates {
  /// Room behind `count` that kernels need beside that for what they append: vectors are stored whole.
  static constexpr size_t kSpare = 16;

  T* values;
  uint32_t* positions;
  size_t count = 0;
  size_t next = 0;  ///< the first element that was not looked at
};

/// Which elements are the k largest: those of larger magnitude, and the first `ties` of exactly that one.
template <typename T>
struct Threshold {
  typename Bits<T>::Word magnitude;
  size_t ties;
};

}  // namespace gradwire::kernels
