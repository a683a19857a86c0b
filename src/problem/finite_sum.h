// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gradwire {

class PersonalSum;

/// One drawn sample and its weight in the estimate.
struct Draw {
  uint32_t sample = 0;
  double weight = 0;
};

/// One worker's share of a problem: f_i = (1/m) sum_l f_il over R^d, everything in double. Regularisers are part of
/// every f_il. Samples can be evaluated at any point, since variance reduction takes one sample at two. Immutable, so
/// that all threads may use it; spans of points and gradients have d elements, out never overlaps x.
class FiniteSum {
 public:
  virtual ~FiniteSum() = default;

  virtual size_t dimension() const = 0;  ///< d
  virtual size_t samples() const = 0;    ///< m

  /// f_i(x).
  virtual double Value(std::span<const double> x) const = 0;
  /// sum_k weight_k f_i,sample_k(x).
  virtual double Value(std::span<const Draw> draws, std::span<const double> x) const = 0;
  /// out = grad f_i(x).
  virtual void Gradient(std::span<const double> x, std::span<double> out) const = 0;
  /// out += sum_k weight_k grad f_i,sample_k(x), in the order given.
  virtual void AddGradient(std::span<const Draw> draws, std::span<const double> x, std::span<double> out) const = 0;
  /// out += weight * hess f_i(x); out: packed as symmetric parameters are (base/symmetric.h), d (d + 1) / 2 elements.
  virtual void AddPackedHessian(std::span<const double> x, double weight, std::span<double> out) const = 0;
  /// out += weight * M_i, a matrix with -M_i <= hess f_i(x) <= M_i at every x; out: d x d, row-major. Its largest
  /// eigenvalue is the worker's smoothness L_i.
  virtual void AddCurvature(double weight, std::span<double> out) const = 0;
  /// L_il: grad f_il is Lipschitz with it.
  virtual double SampleSmoothness(size_t sample) const = 0;
  /// Orthonormal vectors v_1, ..., v_r, d elements each, one behind another, such that hess f_i(x) - hess f_i(y) is a
  /// sum of the v_k v_l^T at all x and y: of a linear model, a basis of its samples' span. Empty: none are known.
  virtual std::vector<double> HessianSpan() const { return {}; }
  /// This, where it is what is left of a function that has unknowns of the worker's own; else null.
  virtual const PersonalSum* personal() const { return nullptr; }
};

}  // namespace gradwire
