// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstring>
#include <span>

#include "kernels/bits.h"

namespace gradwire::kernels::scalar {

/// The i-th of packed values that need not be aligned.
template <typename T>
T ValueAt(const std::byte* values, size_t i) {
  T value;
  std::memcpy(&value, values + i * sizeof(T), sizeof(T));
  return value;
}

template <typename T>
void ScaleAdd(std::span<const T> v, T scale, std::span<const T> residual, std::span<T> out) {
  const size_t n = out.size();
  if (v.empty()) {
    if (residual.empty())
      std::fill_n(out.data(), n, T{0});
    else if (residual.data() != out.data())
      std::copy_n(residual.data(), n, out.data());
  } else if (residual.empty()) {
    for (size_t i = 0; i < n; ++i) out[i] = scale * v[i];
  } else {
    for (size_t i = 0; i < n; ++i) out[i] = scale * v[i] + residual[i];
  }
}

template <typename T>
void Subtract(std::span<const T> a, std::span<const T> b, std::span<T> out) {
  for (size_t i = 0; i < out.size(); ++i) out[i] = a[i] - b[i];
}

template <typename T>
void Add(std::span<const T> v, std::span<T> out) {
  for (size_t i = 0; i < out.size(); ++i) out[i] += v[i];
}

template <typename T>
void AddValues(const std::byte* values, T factor, T weight, std::span<T> out) {
  for (size_t i = 0; i < out.size(); ++i) out[i] += weight * (factor * ValueAt<T>(values, i));
}

template <typename T>
void Scale(T factor, std::span<T> out) {
  for (T& x : out) x *= factor;
}

template <typename T>
bool AllFinite(std::span<const T> v) {
  typename Bits<T>::Word largest = 0;
  for (const T x : v) largest = std::max(largest, MagnitudeBits(x));
  return largest < Bits<T>::kInfinity;
}

template <typename T>
bool AnyNonZero(std::span<const T> v) {
  typename Bits<T>::Word any = 0;
  for (const T x : v) any |= MagnitudeBits(x);
  return any != 0;
}

template <typename T>
void MoveShift(T alpha, T beta, bool takes_shift, std::span<T> shift, std::span<T> mean) {
  for (size_t i = 0; i < mean.size(); ++i) {
    const T old = shift[i];
    shift[i] = old + alpha * mean[i];
    mean[i] = takes_shift ? shift[i] : old + beta * mean[i];
  }
}

template <typename T>
void StepFrom(std::span<const T> point, T step, std::span<T> gradient) {
  for (size_t i = 0; i < gradient.size(); ++i) gradient[i] = point[i] - step * gradient[i];
}

template <typename T>
void GradientOfStep(std::span<const T> point, T step, std::span<T> moved) {
  for (size_t i = 0; i < moved.size(); ++i) moved[i] = (point[i] - moved[i]) / step;
}

}  // namespace gradwire::kernels::scalar
