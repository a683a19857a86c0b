// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gradwire/bucket.h"
#include "gradwire/error.h"

namespace gradwire {

/// What is minimised, as one worker sees it: a network over this rank's data, or a convex function f_i. It owns the
/// point x; every rank moves its own copy by the same steps. T is float or double.
template <typename T>
class Objective {
 public:
  virtual ~Objective() = default;

  virtual const std::vector<Parameter>& parameters() const = 0;

  /// This worker's gradient at the current point, handed to `sink` in buckets as they become ready. On return every
  /// bucket holds its result: the mean over the workers. The samples are those of round.draw(): of another step or
  /// channel, others.
  virtual void Gradient(const Round& round, BucketSink<T>& sink) = 0;

  /// This worker's point, by parameter, each as many elements as its parameter has, in one order on all ranks. The
  /// spans stay valid; whoever writes to them moves the point.
  virtual std::vector<std::span<T>> parameter_values() = 0;

  /// The gradient that Step would move along, in the same order: what Gradient left.
  virtual std::vector<std::span<T>> gradient() = 0;

  /// Moves the point along what Gradient left, with step size `lr`.
  virtual void Step(double lr) = 0;

  /// Adds to gradient() what Step moves along beside it, such as the gradient of a weight decay.
  virtual void AddDecay() {}

  /// For gradients whose noise at an anchor is taken off, where the driver moves the anchor: moves it to the point, and
  /// leaves the full gradient there in gradient(). Throws ConfigError where there is no such anchor.
  virtual void MoveAnchor() {
    throw ConfigError("objective.estimator", "expected anchored, because local.shift is anchor");
  }
};

/// Driver T1, the synchronous gradient round: x <- x - lr * exchange(grad f_1(x), ..., grad f_n(x)).
template <typename T>
void GradientRound(Objective<T>& objective, BucketSink<T>& sink, const Round& round) {
  objective.Gradient(round, sink);
  objective.Step(round.lr);
}

}  // namespace gradwire
