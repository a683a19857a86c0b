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

/// u = scale v + residual, for n elements; no residual: null. Returns whether u is finite.
template <typename T>
bool AddRow(const T* v, T scale, const T* residual, size_t n, T* u) {
  typename Bits<T>::Word largest = 0;
  if (residual == nullptr)
    for (size_t i = 0; i < n; ++i) u[i] = scale * v[i];
  else
    for (size_t i = 0; i < n; ++i) u[i] = scale * v[i] + residual[i];
  for (size_t i = 0; i < n; ++i) largest = std::max(largest, MagnitudeBits(u[i]));
  return largest < Bits<T>::kInfinity;
}

/// The block of a source that begins at `first`, of n elements, into u. Returns whether it was finite; else v counts as
/// zero.
template <typename T>
bool AddBlock(const Source<T>& source, size_t first, size_t n, T* u) {
  const T* residual = source.residual.empty() ? nullptr : source.residual.data() + first;
  T sum[kBlock];
  const bool finite =
      AddRow(source.v.empty() ? kZeroBlock<T> : source.v.data() + first, source.scale, residual, n, sum);
  if (!finite) AddRow(kZeroBlock<T>, source.scale, residual, n, sum);
  std::copy_n(sum, n, u);
  return finite;
}

/// Calls encode(first, u) for each block of a source, u being its elements, to become u - C(u). Returns whether all of
/// u was finite.
template <typename T, typename Encode>
bool ForBlocksOf(const Source<T>& source, Encode&& encode) {
  bool finite = true;
  T nowhere[kBlock];
  for (size_t first = 0; first < source.n; first += kBlock) {
    const size_t n = std::min(kBlock, source.n - first);
    T* const u = source.left.empty() ? nowhere : source.left.data() + first;
    finite &= AddBlock(source, first, n, u);
    encode(first, std::span<T>(u, n));
  }
  return finite;
}

template <typename T>
bool AddChecked(const Source<T>& source) {
  return ForBlocksOf<T>(source, [](size_t, std::span<T>) {});
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
