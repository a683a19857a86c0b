// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>

namespace gradwire {

/// The matrix B by which a server steps, made of a symmetric estimate H of the Hessian. All in double and by one
/// thread, so that ranks which repeat it hold the same bits. Matrices come as packed triangles (src/base/symmetric.h);
/// vectors have d elements. Not thread-safe.
class Curvature {
 public:
  explicit Curvature(size_t d);
  ~Curvature();

  /// B = [H]_mu: H with its eigenvalues below mu raised to it. One Cholesky decomposition tells whether there are any.
  void Project(std::span<const double> h, double mu);
  /// B = H + l I. Throws Error where that is not positive definite.
  void Shift(std::span<const double> h, double l);
  /// B = H + l I, which need not be positive definite, as its eigenvectors: for Cubic alone.
  void Decompose(std::span<const double> h, double l);

  /// out = B^-1 g.
  void Solve(std::span<const double> g, std::span<double> out) const;
  /// out = B v.
  void Multiply(std::span<const double> v, std::span<double> out) const;
  /// out = argmin over h of <g, h> + <B h, h> / 2 + (m / 6) ||h||^3: h = -(B + m r / 2 I)^-1 g with r = ||h||, the only
  /// such r at which B + m r / 2 I is positive semidefinite, found by bisection. m > 0.
  void Cubic(std::span<const double> g, double m, std::span<double> out) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace gradwire
