// SPDX-License-Identifier: Apache-2.0
#include "newton/basis.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>
#include <Eigen/Core>

#include "base/symmetric.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix Unpacked(size_t d, std::span<const double> packed) {
  Matrix m(d, d);
  UnpackSymmetric<double>(d, packed, {m.data(), d * d});
  return m;
}

/// An own copy, which is aligned: the order in which Eigen adds depends on where its operands lie.
Matrix Rows(std::span<const double> values, size_t rows, size_t cols) {
  return Eigen::Map<const Matrix>(values.data(), static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols));
}

/// The diagonal's elements of a packed triangle, each plus `sign` times the sum of its row of the whole matrix beside
/// it.
void AddRowsToDiagonal(std::span<double> packed, double sign) {
  const auto d = static_cast<size_t>((std::sqrt(8.0 * static_cast<double>(packed.size()) + 1) - 1) / 2);
  std::vector<double> sums(d);
  for (size_t j = 0, at = 0; j < d; ++j, ++at)
    for (size_t l = j + 1; l < d; ++l) {
      const double value = packed[++at] / std::numbers::sqrt2;
      sums[j] += value, sums[l] += value;
    }
  for (size_t j = 0, at = 0; j < d; at += d - j++) packed[at] += sign * sums[j];
}

}  // namespace

DataBasis::DataBasis(const Problem& problem) : dimension_(problem.dimension()) {
  for (const auto& f : problem.workers) {
    vectors_.push_back(f->HessianSpan());
    if (vectors_.back().empty())
      throw ConfigError("newton.basis",
                        fmt::format("found data, expected standard: how the Hessians of worker {} change is known of "
                                    "linear models with a ridge alone",
                                    vectors_.size() - 1));
    order_ = std::max(order_, vectors_.back().size() / dimension_);
  }
  for (std::vector<double>& vectors : vectors_) vectors.resize(order_ * dimension_);
}

Piece DataBasis::Image(const Piece& piece) const {
  const size_t numel = PackedNumel(order_);
  return {piece.index, 0, numel, numel, order_, order_, /*symmetric=*/true};
}

void DataBasis::Forward(uint32_t worker, std::span<const double> v, std::span<double> image) const {
  const Matrix basis = Rows(vectors(worker), order_, dimension_);
  const Matrix coefficients = basis * Unpacked(dimension_, v) * basis.transpose();
  PackSymmetric<double>(order_, {coefficients.data(), order_ * order_}, image);
}

void DataBasis::Back(uint32_t worker, std::span<const double> image, std::span<double> v) const {
  const Matrix basis = Rows(vectors(worker), order_, dimension_);
  const Matrix matrix = basis.transpose() * Unpacked(order_, image) * basis;
  PackSymmetric<double>(dimension_, {matrix.data(), dimension_ * dimension_}, v);
}

void PositiveBasis::Forward(uint32_t, std::span<const double> v, std::span<double> image) const {
  std::ranges::copy(v, image.begin());
  AddRowsToDiagonal(image, -1);
}

void PositiveBasis::Back(uint32_t, std::span<const double> image, std::span<double> v) const {
  std::ranges::copy(image, v.begin());
  AddRowsToDiagonal(v, 1);
}

}  // namespace gradwire
