// SPDX-License-Identifier: Apache-2.0
#include "compress/low_rank.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <Eigen/Dense>

#include "gradwire/error.h"

namespace gradwire {
namespace {

using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Eigen::Index;
using Eigen::MatrixXd;

Eigen::SelfAdjointEigenSolver<MatrixXd> Decompose(const MatrixXd& symmetric) {
  Eigen::SelfAdjointEigenSolver<MatrixXd> solver(symmetric);
  if (solver.info() != Eigen::Success) throw Error("eigenvalues of a matrix to be sent: no convergence");
  return solver;
}

/// Copies a vector, with its sign fixed.
void CopyVector(const Eigen::Ref<const Eigen::VectorXd>& vector, std::span<double> to) {
  Index largest = 0;
  vector.cwiseAbs().maxCoeff(&largest);
  const double sign = vector[largest] < 0 ? -1 : 1;
  for (size_t i = 0; i < to.size(); ++i) to[i] = sign * vector[static_cast<Index>(i)];
}

}  // namespace

void BestFactors(size_t rows, size_t cols, size_t rank, std::span<const double> matrix, std::span<double> left,
                 std::span<double> right) {
  const auto m = static_cast<Index>(rows), n = static_cast<Index>(cols), r = static_cast<Index>(rank);
  const MatrixXd a = Eigen::Map<const Rows>(matrix.data(), m, n);
  const bool is_wide = m <= n;
  MatrixXd gram = MatrixXd::Zero(std::min(m, n), std::min(m, n));
  if (is_wide)
    gram.selfadjointView<Eigen::Lower>().rankUpdate(a);
  else
    gram.selfadjointView<Eigen::Lower>().rankUpdate(a.transpose());
  const auto solver = Decompose(gram);  // reads the lower triangle; eigenvalues ascend
  const std::span<double> of_gram = is_wide ? left : right;
  const size_t side = std::min(rows, cols);
  for (Index i = 0; i < r; ++i)
    CopyVector(solver.eigenvectors().col(solver.eigenvalues().size() - 1 - i),
               of_gram.subspan(static_cast<size_t>(i) * side, side));
  const MatrixXd vectors = Eigen::Map<const Rows>(of_gram.data(), r, std::min(m, n));
  if (is_wide)
    Eigen::Map<Rows>(right.data(), r, n) = vectors * a;
  else
    Eigen::Map<Rows>(left.data(), r, m) = vectors * a.transpose();
}

void LargestEigenpairs(size_t d, size_t rank, std::span<const double> matrix, std::span<double> values,
                       std::span<double> vectors) {
  const auto n = static_cast<Index>(d);
  const auto solver = Decompose(Eigen::Map<const Rows>(matrix.data(), n, n));
  const Eigen::VectorXd& all = solver.eigenvalues();
  std::vector<Index> order(d);
  std::iota(order.rbegin(), order.rend(), Index{0});  // from the largest
  std::ranges::stable_sort(order, [&](Index a, Index b) { return std::abs(all[a]) > std::abs(all[b]); });
  for (size_t r = 0; r < rank; ++r) {
    values[r] = all[order[r]];
    CopyVector(solver.eigenvectors().col(order[r]), vectors.subspan(r * d, d));
  }
}

}  // namespace gradwire
