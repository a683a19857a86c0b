// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "kernels/factors.h"
#include "kernels/scalar/norm.h"

namespace gradwire::kernels::scalar {

inline constexpr size_t kDotLanes = 16, kRanksTogether = 4, kRowsTogether = 4;

/// <a, b>: lane j of 16 sums the products of the elements j, j + 16, ...; then the lanes are folded in halves.
template <typename T>
T DotOf(const T* a, const T* b, size_t n) {
  std::array<T, kDotLanes> lanes{};
  const size_t whole = n / kDotLanes * kDotLanes;
  for (size_t i = 0; i < whole; i += kDotLanes)
    for (size_t j = 0; j < kDotLanes; ++j) lanes[j] += a[i + j] * b[i + j];
  for (size_t i = whole; i < n; ++i) lanes[i - whole] += a[i] * b[i];
  return Fold(lanes);
}

template <typename T>
void ProjectRows(std::span<const T> m, const Factors<T>& factors, size_t first) {
  const size_t rows = factors.cols > 0 ? m.size() / factors.cols : 0;
  for (size_t i = 0; i < rows; ++i)
    for (size_t r = 0; r < factors.rank; ++r)
      factors.p_of(r)[first + i] = DotOf(m.data() + i * factors.cols, factors.q_of(r), factors.cols);
}

/// q += p m over kRows rows of a strip of n columns, row after row: `stride` elements lie between two rows of m.
template <size_t kRows, typename T>
void AddRowsTimes(const T* __restrict m, size_t stride, const T* p, size_t n, T* __restrict q) {
  if constexpr (kRows == 4) {
    const T *m1 = m + stride, *m2 = m1 + stride, *m3 = m2 + stride;
    const T p0 = p[0], p1 = p[1], p2 = p[2], p3 = p[3];
    for (size_t j = 0; j < n; ++j) q[j] = (((q[j] + p0 * m[j]) + p1 * m1[j]) + p2 * m2[j]) + p3 * m3[j];
  } else {
    for (size_t i = 0; i < kRows; ++i)
      for (size_t j = 0; j < n; ++j) q[j] += p[i] * m[i * stride + j];
  }
}

/// to = (0, 1 or -1) * to + the sum over kRanks ranks, in order, of p[r] q[r].
enum class Put { kWrite, kAdd, kSubtract };
template <Put kPut, size_t kRanks, typename T>
void PutRanks(const T (&p)[kRanksTogether], const T* __restrict q, size_t stride, size_t n, T* __restrict to) {
  for (size_t j = 0; j < n; ++j) {
    T sum = p[0] * q[j];
    for (size_t r = 1; r < kRanks; ++r) sum += p[r] * q[r * stride + j];
    to[j] = kPut == Put::kWrite ? sum : kPut == Put::kAdd ? to[j] + sum : to[j] - sum;
  }
}

/// The ranks first .. first + up to 4 of p^T q in row i, columns at .. at + n.
template <Put kPut, typename T>
void PutRow(const Factors<T>& factors, size_t i, size_t first, size_t at, size_t n, T* to) {
  T p[kRanksTogether] = {};
  const size_t count = std::min(kRanksTogether, factors.rank - first);
  for (size_t r = 0; r < count; ++r) p[r] = factors.p_of(first + r)[i];
  const T* q = factors.q_of(first) + at;
  switch (count) {
    case 1: return PutRanks<kPut, 1>(p, q, factors.cols, n, to);
    case 2: return PutRanks<kPut, 2>(p, q, factors.cols, n, to);
    case 3: return PutRanks<kPut, 3>(p, q, factors.cols, n, to);
    default: return PutRanks<kPut, 4>(p, q, factors.cols, n, to);
  }
}

/// Strip by strip, so that m is read from memory once.
template <typename T>
void TakeFactors(const Factors<T>& factors, std::span<T> m) {
  const size_t strip = StripOf(factors.rows), cols = factors.cols, whole = factors.rows / kRowsTogether * kRowsTogether;
  for (size_t at = 0; at < cols; at += strip) {
    const size_t n = std::min(strip, cols - at);
    T* const of_strip = m.data() + at;
    for (size_t r = 0; r < factors.rank; ++r) std::fill_n(factors.q_of(r) + at, n, T{0});
    for (size_t i = 0; i < whole; i += kRowsTogether)
      for (size_t r = 0; r < factors.rank; ++r)
        AddRowsTimes<kRowsTogether>(of_strip + i * cols, cols, factors.p_of(r) + i, n, factors.q_of(r) + at);
    for (size_t i = whole; i < factors.rows; ++i)
      for (size_t r = 0; r < factors.rank; ++r)
        AddRowsTimes<1>(of_strip + i * cols, cols, factors.p_of(r) + i, n, factors.q_of(r) + at);
    for (size_t i = 0; i < factors.rows; ++i)
      for (size_t r = 0; r < factors.rank; r += kRanksTogether)
        PutRow<Put::kSubtract>(factors, i, r, at, n, of_strip + i * cols);
  }
}

template <typename T>
void ExpandFactors(const Factors<T>& factors, std::span<T> m) {
  for (size_t i = 0; i < factors.rows; ++i) {
    T* const row = m.data() + i * factors.cols;
    PutRow<Put::kWrite>(factors, i, 0, 0, factors.cols, row);
    for (size_t r = kRanksTogether; r < factors.rank; r += kRanksTogether)
      PutRow<Put::kAdd>(factors, i, r, 0, factors.cols, row);
  }
}

}  // namespace gradwire::kernels::scalar
