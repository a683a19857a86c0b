// SPDX-License-Identifier: Apache-2.0
#include "problem/outer_products.h"

#include <numbers>

namespace gradwire {
namespace {

constexpr double kRoot = std::numbers::sqrt2;  // of what stands off the diagonal

/// The place of column 0 in row k of a packed triangle, if the row had one: element (k, j) is j behind it.
size_t RowBegin(size_t k, size_t d) { return k * (2 * d - k - 1) / 2; }

/// One row's pairs of columns.
void AddSparse(std::span<const uint32_t> column, std::span<const double> value, double weight, size_t d,
               double* packed) {
  for (size_t i = 0; i < column.size(); ++i) {
    double* const row = packed + RowBegin(column[i], d);
    const double scaled = weight * value[i], off = kRoot * scaled;
    row[column[i]] += scaled * value[i];
    for (size_t j = i + 1; j < column.size(); ++j) row[column[j]] += off * value[j];
  }
}

/// Four rows that have all columns, one behind another: each element of the triangle is read and written once.
void AddFourDense(const double* a, std::span<const double> weights, size_t d, double* packed) {
  const double *const b = a + d, *const c = b + d, *const e = c + d;
  for (size_t i = 0; i < d; ++i) {
    double* const row = packed + RowBegin(i, d);
    const double wa = weights[0] * a[i], wb = weights[1] * b[i], wc = weights[2] * c[i], we = weights[3] * e[i];
    row[i] += (wa * a[i] + wb * b[i]) + (wc * c[i] + we * e[i]);
    for (size_t j = i + 1; j < d; ++j) row[j] += kRoot * ((wa * a[j] + wb * b[j]) + (wc * c[j] + we * e[j]));
  }
}

}  // namespace

void AddOuterProducts(const LabelledRows& rows, size_t first, std::span<const double> weights,
                      std::span<double> packed) {
  const size_t d = rows.columns, *const begin = rows.begin.data() + first;
  const bool is_dense = begin[weights.size()] - begin[0] == weights.size() * d;
  size_t l = 0;
  for (; is_dense && l + 4 <= weights.size(); l += 4)
    AddFourDense(rows.value.data() + begin[l], weights.subspan(l, 4), d, packed.data());
  for (; l < weights.size(); ++l) {
    const size_t length = begin[l + 1] - begin[l];
    AddSparse({rows.column.data() + begin[l], length}, {rows.value.data() + begin[l], length}, weights[l], d,
              packed.data());
  }
}

}  // namespace gradwire
