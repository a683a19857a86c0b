// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "driver/alpha_beta.h"
#include "driver/objective.h"
#include "estimate/estimator.h"

namespace gradwire {

/// One worker of a problem: hands its estimate of grad f_i(x) to the exchange as one bucket of one parameter, and steps
/// x <- x - lr g along the result. A regulariser is the exchange's (ExchangeParts::prox). Not thread-safe.
class ConvexWorker : public Objective<double> {
 public:
  /// `estimator` is this worker's own of `problem`; null: full gradients.
  ConvexWorker(std::shared_ptr<const Problem> problem, size_t worker, std::unique_ptr<Estimator> estimator = nullptr);

  const std::vector<Parameter>& parameters() const override { return parameters_; }
  void Gradient(const Round& round, BucketSink<double>& sink) override;
  std::vector<std::span<double>> parameter_values() override { return {x_}; }
  std::vector<std::span<double>> gradient() override { return {gradient_}; }
  void Step(double lr) override;
  void MoveAnchor() override;

  /// This worker's samples of a round at its point, seen from `last`; none of an empty batch.
  std::optional<ComponentView> Look(const Round& round, std::span<const double> last) const;

  const std::vector<double>& x() const { return x_; }
  /// ||x - x*||; the problem has to know x*.
  double Distance() const;
  /// Passes over this worker's data so far.
  double passes() const;

  /// The point and the estimator's memory.
  template <typename Archive>
  void serialize(Archive& archive) {
    archive(x_);
    const Estimator::Memory memory = estimator_->memory();
    for (std::vector<double>* vector : memory.vectors) archive(*vector);
    archive(*memory.evaluations);
  }

 private:
  std::shared_ptr<const Problem> problem_;
  size_t worker_;
  std::unique_ptr<Estimator> estimator_;
  std::vector<double> x_, gradient_;
  std::vector<Parameter> parameters_;
  Segment segment_;
};

}  // namespace gradwire
