// SPDX-License-Identifier: Apache-2.0
#include "problem/samples.h"

#include <algorithm>

#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <Eigen/SVD>

namespace gradwire {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix Dense(const LabelledRows& rows, size_t first, size_t last) {
  Matrix a = Matrix::Zero(static_cast<Eigen::Index>(last - first), static_cast<Eigen::Index>(rows.columns));
  for (size_t l = first; l < last; ++l)
    for (size_t k = rows.begin[l]; k < rows.begin[l + 1]; ++k)
      a(static_cast<Eigen::Index>(l - first), rows.column[k]) = rows.value[k];
  return a;
}

Matrix Nearest(const Matrix& a, size_t rank) {
  const Eigen::JacobiSVD<Matrix> svd(a, Eigen::ComputeThinU | Eigen::ComputeThinV);
  const Eigen::Index r = std::min<Eigen::Index>(static_cast<Eigen::Index>(rank), svd.singularValues().size());
  return svd.matrixU().leftCols(r) * svd.singularValues().head(r).asDiagonal() * svd.matrixV().leftCols(r).transpose();
}

}  // namespace

Samples WithIntercept(const LabelledRows& rows) {
  auto more = std::make_shared<LabelledRows>();
  more->label = rows.label, more->columns = rows.columns + 1;
  const auto add = [&](size_t k) { more->column.push_back(rows.column[k]), more->value.push_back(rows.value[k]); };
  for (size_t l = 0; l < rows.rows(); ++l) {
    for (size_t k = rows.begin[l]; k < rows.begin[l + 1]; ++k) add(k);
    more->column.push_back(static_cast<uint32_t>(rows.columns)), more->value.push_back(1);
    more->begin.push_back(more->column.size());
  }
  return more;
}

Samples FirstOf(const LabelledRows& rows, size_t count) {
  auto some = std::make_shared<LabelledRows>(rows);
  some->label.resize(count), some->begin.resize(count + 1);
  some->column.resize(some->begin.back()), some->value.resize(some->begin.back());
  return some;
}

Samples OfRank(const LabelledRows& rows, size_t block, size_t rank) {
  auto low = std::make_shared<LabelledRows>();
  for (size_t first = 0; first < rows.rows(); first += block) {
    const Matrix a = Nearest(Dense(rows, first, std::min(first + block, rows.rows())), rank);
    for (Eigen::Index l = 0; l < a.rows(); ++l)
      low->Append({a.row(l).begin(), a.row(l).end()}, rows.label[first + static_cast<size_t>(l)]);
  }
  return low;
}

std::vector<double> RowSpan(const LabelledRows& rows, size_t first, size_t last) {
  const Matrix a = Dense(rows, first, last);
  Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr(a.transpose());
  qr.setThreshold(1e-12);
  const Eigen::MatrixXd span = qr.householderQ() * Eigen::MatrixXd::Identity(qr.rows(), qr.rank());
  const Eigen::MatrixXd within = a * span;  // its squares lose no small direction: the span has none of those left out
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> axes(within.transpose() * within);
  const Eigen::MatrixXd basis = span * axes.eigenvectors().rowwise().reverse();
  return {basis.data(), basis.data() + basis.size()};
}

}  // namespace gradwire
