// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "gradwire/objective.h"

namespace gradwire {

/// f_i(x) = x^T A x / 2 - b^T x, one worker's share of a deterministic test problem with a known minimiser.
class Quadratic : public Objective<double> {
 public:
  /// `a`: d x d, symmetric, row-major; `b`: d; `start`: x^0; `minimiser`: of the mean over the workers.
  Quadratic(std::vector<double> a, std::vector<double> b, std::vector<double> start, std::vector<double> minimiser);

  const std::vector<Parameter>& parameters() const override { return parameters_; }
  void Gradient(const Round& round, BucketSink<double>& sink) override;
  void Step(double lr) override;

  const std::vector<double>& x() const { return x_; }
  /// ||x - x*||.
  double Distance() const;

 private:
  std::vector<double> a_, b_, x_, minimiser_, gradient_;
  std::vector<Parameter> parameters_;
  Segment segment_;
};

/// Q3 (Beznosikov et al., "On biased compression for distributed learning", JMLR 2023, example 1): n = d = 3,
/// f_i(x) = <v_i, x>^2 + ||x||^2 / 4; x* = 0, L = 103/6, x^0 = (1, 1, 1). Top-1 without feedback diverges on it.
Quadratic MakeQ3(int worker);

/// QH: ten heterogeneous quadratics in R^20 with an orthogonal change of basis, x* in closed form;
/// L = 6.447368421052632, mu = 4.552631578947368, max L_i = 10, x^0 = 0.
Quadratic MakeQH(int worker);

}  // namespace gradwire
