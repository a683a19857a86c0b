// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstring>
#include <span>

#include "kernels/bits.h"
#include "kernels/source.h"

namespace gradwire::kernels::scalar {

/// The i-th of packed values that need not be aligned.
template <typename T>
T ValueAt(const std::byte* values, size_t i) {
  T value;
  std::memcpy(&value, values + i * sizeof(T), sizeof(T));
  return value;
}

/// Elements first .. first + n - 1 of a source into u, which may be their place in source.left. Returns their largest
/// magnitude, as bits.
template <typename T>
typename Bits<T>::Word AddPart(const Source<T>& source, size_t first, size_t n, T* u) {
  const T* v = source.v.empty() ? nullptr : source.v.data() + first;
  const T* residual = source.residual.empty() ? nullptr : source.residual.data() + first;
  if (!source.kept.empty()) std::copy_n(residual, n, source.kept.data() + first);
  typename Bits<T>::Word largest = 0;
  if (v == nullptr && residual == nullptr)
    std::fill_n(u, n, T{0});
  else if (v == nullptr)
    std::copy_n(residual, residual == u ? 0 : n, u);
  else if (residual == nullptr)
    for (size_t i = 0; i < n; ++i) u[i] = source.scale * v[i];
  else
    for (size_t i = 0; i < n; ++i) u[i] = source.scale * v[i] + residual[i];
  for (size_t i = 0; i < n; ++i) largest = std::max(largest, MagnitudeBits(u[i]));
  return largest;
}

template <typename T>
bool AddKeeping(const Source<T>& source, std::span<T> u) {
  return AddPart(source, 0, u.size(), u.data()) < Bits<T>::kInfinity;
}

/// Calls encode(first, u) for each block of a source, u being its elements, to become u - C(u). Returns whether u is
/// finite; encode sees those that are not, too.
template <typename T, typename Encode>
bool ForBlocksOf(const Source<T>& source, Encode&& encode) {
  T scratch[kBlock];
  typename Bits<T>::Word largest = 0;
  for (size_t first = 0; first < source.n; first += kBlock) {
    const size_t n = std::min(kBlock, source.n - first);
    T* u = source.left.empty() ? scratch : source.left.data() + first;
    largest = std::max(largest, AddPart(source, first, n, u));
    encode(first, std::span<T>(u, n));
  }
  return largest < Bits<T>::kInfinity;
}

template <typename T>
void StreamTo(std::span<const T> from, std::span<T> out) {
  std::copy(from.begin(), from.end(), out.begin());
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
