// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>

namespace gradwire::kernels {

template <typename T>
struct Bits;
template <>
struct Bits<float> {
  using Word = uint32_t;
  static constexpr Word kMagnitude = 0x7fffffff, kInfinity = 0x7f800000;
  static constexpr int kMantissa = 23;
};
template <>
struct Bits<double> {
  using Word = uint64_t;
  static constexpr Word kMagnitude = 0x7fffffffffffffff, kInfinity = 0x7ff0000000000000;
  static constexpr int kMantissa = 52;
};

/// |value| as an integer that orders like it; infinity and NaN are the largest.
template <typename T>
constexpr typename Bits<T>::Word MagnitudeBits(T value) {
  return std::bit_cast<typename Bits<T>::Word>(value) & Bits<T>::kMagnitude;
}

}  // namespace gradwire::kernels
