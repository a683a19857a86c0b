// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace gradwire::kernels {

/// A matrix of rows x cols, row by row, that is p^T q: p has `rank` vectors of `rows` elements, one behind another, and
/// q has as many of `cols`.
template <typename T>
struct Factors {
  size_t rows, cols, rank;
  T *p, *q;

  T* p_of(size_t r) const { return p + r * rows; }
  T* q_of(size_t r) const { return q + r * cols; }
};

/// Columns that are worked on together: their part of a matrix stays in a core's second-level cache (256 KiB of
/// floats), and their part of a few rows in the first-level one.
constexpr size_t StripOf(size_t rows) {
  constexpr size_t kElements = 65536, kLeast = 64, kMost = 1024;
  const size_t fits = kElements / (rows > 0 ? rows : 1) / 16 * 16;
  return fits < kLeast ? kLeast : fits > kMost ? kMost : fits;
}

}  // namespace gradwire::kernels
