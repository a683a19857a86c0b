// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "newton/curvature.h"
#include "newton/newton_method.h"

namespace gradwire {

/// What a server does with the means: it has the point x, makes B of what it knows of the Hessians, and steps. Every
/// rank that is given the same numbers finds the same x, bit for bit. Not thread-safe.
class NewtonServer {
 public:
  /// `parts` outlives this.
  NewtonServer(const Problem& problem, const NewtonParts& parts);

  /// B, of an estimate H, packed, and with option 2 the mean l of the workers' errors.
  void SetCurvature(std::span<const double> h, double l);
  /// g = B (z - w) + `gradient`, that at w.
  void Extrapolate(std::span<const double> z, std::span<const double> w, std::span<const double> gradient,
                   std::span<double> g) const;
  /// The next point from z; `value` tells f at a point, for line searches, which all ranks ask alike.
  void Step(std::span<const double> z, std::span<const double> g,
            const std::function<double(std::span<const double>)>& value);
  /// x = B^-1 g.
  void Form(std::span<const double> g);
  /// The point stops being finite, and with it the run.
  void GiveUp();

  std::span<const double> x() const { return x_; }
  bool is_finite() const;
  void SetX(std::span<const double> x) { x_.assign(x.begin(), x.end()); }

 private:
  double SearchLine(std::span<const double> z, std::span<const double> g,
                    const std::function<double(std::span<const double>)>& value);

  const NewtonParts& parts_;
  Curvature curvature_;
  std::vector<double> x_, step_;
};

}  // namespace gradwire
