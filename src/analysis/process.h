// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "analysis/noise.h"
#include "gradwire/scratch.h"

namespace gradwire {

/// What a path draws from, and where its steps may work. One per path.
struct PathContext {
  NoiseStream noise;
  uint64_t seed = 0;
  uint32_t path = 0;
  Lane& lane;
};

/// What a path does in steps of time, all paths by the same law: a method, or an SDE that is integrated. Immutable, so
/// that all threads may use it.
class Process {
 public:
  virtual ~Process() = default;

  /// Numbers of the state; the first ones are the point.
  virtual size_t size() const = 0;
  /// Writes the state of time 0.
  virtual void Begin(std::span<double> state) const = 0;
  /// Step k = 0, 1, ... of the path, from time k step_time() to the next one.
  virtual void Step(size_t k, PathContext& path, std::span<double> state) const = 0;
  virtual double step_time() const = 0;
};

/// dY = b(t, Y) dt + A(t, Y) dW with a diagonal A: each number of Y has a Brownian motion of its own.
struct Sde {
  size_t size = 0;
  std::function<void(std::span<double> y)> begin;
  /// Writes b and the diagonal of A at once, since they share most of their work. Spans of `size` elements; b and A
  /// hold zeros before.
  std::function<void(double t, std::span<const double> y, std::span<double> b, std::span<double> a)> coefficients;
  double first_time = 0;  ///< t of the first step: where coefficients have a singularity at 0
};

/// The integrator of Euler and Maruyama: Y <- Y + b dt + A sqrt(dt) xi with standard normal xi.
class EulerMaruyama final : public Process {
 public:
  EulerMaruyama(Sde sde, double dt);

  size_t size() const override { return sde_.size; }
  void Begin(std::span<double> state) const override { sde_.begin(state); }
  void Step(size_t k, PathContext& path, std::span<double> state) const override;
  double step_time() const override { return dt_; }

 private:
  const Sde sde_;
  const double dt_, root_dt_;
};

}  // namespace gradwire
