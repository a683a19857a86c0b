// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>

namespace gradwire::kernels {

/// out = scale * v + owed; an empty v or owed counts as zero. `out` may be v or owed.
template <typename T>
void ScaleAdd(std::span<const T> v, T scale, std::span<const T> owed, std::span<T> out) {
  const size_t n = out.size();
  if (v.empty()) {
    if (owed.empty())
      std::fill_n(out.data(), n, T{0});
    else if (owed.data() != out.data())
      std::copy_n(owed.data(), n, out.data());
  } else if (owed.empty()) {
    for (size_t i = 0; i < n; ++i) out[i] = scale * v[i];
  } else {
    for (size_t i = 0; i < n; ++i) out[i] = scale * v[i] + owed[i];
  }
}

/// out = a - b; `out` may be either.
template <typename T>
void Subtract(std::span<const T> a, std::span<const T> b, std::span<T> out) {
  for (size_t i = 0; i < out.size(); ++i) out[i] = a[i] - b[i];
}

/// out += v.
template <typename T>
void Add(std::span<const T> v, std::span<T> out) {
  for (size_t i = 0; i < out.size(); ++i) out[i] += v[i];
}

/// out *= factor.
template <typename T>
void Scale(T factor, std::span<T> out) {
  for (T& x : out) x *= factor;
}

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
typename Bits<T>::Word MagnitudeBits(T value) {
  return std::bit_cast<typename Bits<T>::Word>(value) & Bits<T>::kMagnitude;
}

/// Whether no element is infinite or NaN.
template <typename T>
bool AllFinite(std::span<const T> v) {
  typename Bits<T>::Word largest = 0;
  for (const T x : v) largest = std::max(largest, MagnitudeBits(x));
  return largest < Bits<T>::kInfinity;
}

}  // namespace gradwire::kernels
