// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "estimate/estimator.h"
#include "gossip/gossip_method.h"
#include "gradwire/error.h"

namespace gradwire {

/// What one worker minimises: its estimates of the gradient of f_i. Not thread-safe.
template <typename T>
class GossipObjective {
 public:
  virtual ~GossipObjective() = default;
  /// The samples of that round, of which estimates are until the next call.
  virtual void Sample(const Round& round) = 0;
  /// out = the estimate at x, all parameters of each, not overlapping. Throws Error where it cannot go on.
  virtual void Estimate(std::span<const T> x, std::span<T> out) = 0;
};

/// By an estimator of a convex problem's worker.
class EstimatedObjective final : public GossipObjective<double> {
 public:
  /// Throws ConfigError ("objective.estimator: ...") where the method needs one without memory.
  EstimatedObjective(const GossipMethod& method, std::unique_ptr<Estimator> estimator)
      : estimator_(std::move(estimator)) {
    if (method.two_points && !estimator_->memory().vectors.empty())
      throw ConfigError("objective.estimator",
                        std::string(method.name) +
                            " takes the same samples at two points; expected an estimator without memory, full or sgd");
  }

  void Sample(const Round& round) override { handle_ = estimator_->Next(round); }
  void Estimate(std::span<const double> x, std::span<double> out) override { estimator_->Estimate(x, handle_, out); }

  uint64_t evaluations() const { return estimator_->evaluations(); }

  template <typename Archive>
  void serialize(Archive& archive) {
    const Estimator::Memory memory = estimator_->memory();
    for (std::vector<double>* vector : memory.vectors) archive(*vector);
    archive(*memory.evaluations);
  }

 private:
  const std::unique_ptr<Estimator> estimator_;
  Handle handle_;
};

}  // namespace gradwire
