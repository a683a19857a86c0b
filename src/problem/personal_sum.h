// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "problem/finite_sum.h"

namespace gradwire {

/// One worker's f_i(x, y) of a personalised problem, min over x of (1/n) sum_i min over y_i of f_i(x, y_i): x is
/// shared, y_i is the worker's own and stays with it (Mishchenko, Islamov, Gorbunov, Horvath, "Partially personalized
/// federated learning: breaking the curse of data heterogeneity", TMLR, arXiv 2305.18285). f_i is quadratic in y.
///
/// As a FiniteSum, of one sample, it is what is left when y is the best for x, min over y of f_i(x, y), whose gradient
/// is that of f_i by x there: solutions, distances and theory's constants are of it. Immutable. Spans of x have d
/// elements, those of y own_dimension(); out overlaps no argument.
class PersonalSum : public FiniteSum {
 public:
  const PersonalSum* personal() const override { return this; }

  virtual size_t own_dimension() const = 0;
  /// Lw, the largest eigenvalue of hess_yy f_i.
  virtual double own_smoothness() const = 0;
  /// f_i(x, y).
  virtual double JointValue(std::span<const double> x, std::span<const double> y) const = 0;
  /// out = grad_x f_i(x, y).
  virtual void SharedGradient(std::span<const double> x, std::span<const double> y, std::span<double> out) const = 0;
  /// out = grad_y f_i(x, y).
  virtual void OwnGradient(std::span<const double> x, std::span<const double> y, std::span<double> out) const = 0;
  /// out = hess_yy f_i v, of an own_dimension() vector v.
  virtual void MultiplyOwn(std::span<const double> v, std::span<double> out) const = 0;
  /// y = the minimiser of f_i(x, .), of many the shortest.
  virtual void SolveOwn(std::span<const double> x, std::span<double> y) const = 0;
};

}  // namespace gradwire
