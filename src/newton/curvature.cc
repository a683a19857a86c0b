// SPDX-License-Identifier: Apache-2.0
#include "newton/curvature.h"

#include <cmath>
#include <limits>

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <Eigen/Eigenvalues>

#include "base/symmetric.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

// Own vectors, which are aligned: the order in which Eigen adds depends on where its operands lie.
Eigen::VectorXd VectorOf(std::span<const double> v) {
  return Eigen::Map<const Eigen::VectorXd>(v.data(), static_cast<Eigen::Index>(v.size()));
}
void Put(const Eigen::VectorXd& v, std::span<double> out) { std::copy(v.begin(), v.end(), out.begin()); }

}  // namespace

struct Curvature::Parts {
  explicit Parts(size_t size) : d(static_cast<Eigen::Index>(size)), b(d, d) {}

  void Unpack(std::span<const double> h) {
    UnpackSymmetric<double>(static_cast<size_t>(d), h, {b.data(), static_cast<size_t>(d * d)});
  }
  void Decompose() {
    eigen.compute(b);
    is_decomposed = true;
  }

  const Eigen::Index d;
  Eigen::MatrixXd b;
  Eigen::LLT<Eigen::MatrixXd> cholesky;
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen;
  Eigen::VectorXd values;      // of B, beside eigen's vectors
  bool is_decomposed = false;  // B is its eigenvectors and `values`; else `b` and its Cholesky factor
};

Curvature::Curvature(size_t d) : parts_(std::make_unique<Parts>(d)) {}
Curvature::~Curvature() = default;

void Curvature::Project(std::span<const double> h, double mu) {
  Parts& p = *parts_;
  p.Unpack(h);
  p.is_decomposed = false;
  p.b.diagonal().array() -= mu;
  p.cholesky.compute(p.b);
  const bool is_above = p.cholesky.info() == Eigen::Success;
  p.b.diagonal().array() += mu;
  if (is_above) {
    p.cholesky.compute(p.b);
    return;
  }
  p.Decompose();
  p.values = p.eigen.eigenvalues().cwiseMax(mu);
}

void Curvature::Shift(std::span<const double> h, double l) {
  Parts& p = *parts_;
  p.Unpack(h);
  p.is_decomposed = false;
  p.b.diagonal().array() += l;
  p.cholesky.compute(p.b);
  if (p.cholesky.info() != Eigen::Success && p.b.allFinite())
    throw Error(
        "Newton's step: H + l I is not positive definite, as it is where all f_i are strongly convex; expected option "
        "1, whose eigenvalues are raised to newton.mu, or a ridge (objective.lambda)");
}

void Curvature::Decompose(std::span<const double> h, double l) {
  Parts& p = *parts_;
  p.Unpack(h);
  p.b.diagonal().array() += l;
  p.Decompose();
  p.values = p.eigen.eigenvalues();
}

void Curvature::Solve(std::span<const double> g, std::span<double> out) const {
  const Parts& p = *parts_;
  Eigen::VectorXd v = VectorOf(g);
  if (!p.is_decomposed) {
    p.cholesky.solveInPlace(v);
    return Put(v, out);
  }
  const Eigen::MatrixXd& q = p.eigen.eigenvectors();
  const Eigen::VectorXd rotated = (q.transpose() * v).cwiseQuotient(p.values);
  Put(q * rotated, out);
}

void Curvature::Multiply(std::span<const double> v, std::span<double> out) const {
  const Parts& p = *parts_;
  const Eigen::VectorXd own = VectorOf(v);
  if (!p.is_decomposed) return Put(p.b * own, out);
  const Eigen::MatrixXd& q = p.eigen.eigenvectors();
  const Eigen::VectorXd rotated = (q.transpose() * own).cwiseProduct(p.values);
  Put(q * rotated, out);
}

/// Relative: rounding of an eigenvalue, and of g's parts in the eigenvectors.
constexpr double kBeside = 16 * std::numeric_limits<double>::epsilon();

/// The hard case (Nesterov & Polyak 2006, section 5): no r is reached by g's own directions, and the rest of ||h|| = r
/// goes along the eigenvector of the smallest eigenvalue, to the side of what little g has there. `step`: h by
/// eigenvector; along those of the smallest eigenvalue it is rounding over 0.
void FillHardCase(const Eigen::VectorXd& values, double r, Eigen::VectorXd& step) {
  Eigen::Index least = 0;
  const double smallest = values.minCoeff(&least), side = step[least] < 0 ? -1 : 1;
  for (Eigen::Index j = 0; j < values.size(); ++j)
    if (values[j] - smallest <= kBeside * std::abs(smallest)) step[j] = 0;
  step[least] = side * std::sqrt(std::max(0.0, r * r - step.squaredNorm()));
}

void Curvature::Cubic(std::span<const double> g, double m, std::span<double> out) const {
  const Parts& p = *parts_;
  const Eigen::MatrixXd& q = p.eigen.eigenvectors();
  const Eigen::VectorXd rotated = q.transpose() * VectorOf(g);
  // 0 / 0, where the smallest eigenvalue becomes 0, is 0: what of g has no part in a direction says nothing of it.
  const auto at = [&](double r) -> Eigen::VectorXd {
    return (rotated.array() == 0).select(0.0, rotated.array() / (p.values.array() + 0.5 * m * r)).matrix();
  };
  const auto length = [&](double r) { return at(r).norm(); };
  // length(r) falls and r rises: one crossing, above the r at which the smallest eigenvalue becomes 0.
  const double least_r = std::max(0.0, -2 * p.values.minCoeff() / m);
  double low = least_r, high = std::max(low, 1e-300);
  while (length(high) > high && std::isfinite(high)) high = 2 * high + 1e-300;
  for (double middle = 0.5 * (low + high); low < middle && middle < high; middle = 0.5 * (low + high))
    (length(middle) > middle ? low : high) = middle;
  Eigen::VectorXd step = -at(high);
  if (least_r > 0 && high <= least_r * (1 + kBeside)) FillHardCase(p.values, high, step);
  Put(q * step, out);
}

}  // namespace gradwire
