// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "estimate/estimator.h"
#include "gossip/gossip_method.h"

namespace gradwire {

/// What a run of neighbours is made of.
struct GossipParts {
  const GossipMethod* method = nullptr;
  double gamma = 1;   ///< share of the difference to the neighbours, in (0, 1]
  double lambda = 1;  ///< share of the new estimate in the momentum, in (0, 1]
};

/// One worker's x, direction v and momentum m, of d elements; where the method pushes, x has a weight as one more, and
/// the model is x over it. Not thread-safe.
class GossipWorker {
 public:
  /// All outlive it. `estimator`: of that worker of the problem; with two points one without memory. Throws ConfigError
  /// ("objective.estimator: ...").
  GossipWorker(const Problem& problem, const GossipParts& parts, std::unique_ptr<Estimator> estimator);

  /// m = v = the estimate at x^0, by the samples of round 0.
  void Begin();
  /// x <- x + mixed - lr v, `mixed`: gamma sum_j w_ij (h_j - h_i), or nothing.
  void Move(std::span<const double> mixed, double lr);
  void Mix(std::span<const double> mixed);
  /// m and v at the model, by the samples of that round. `mixed`: of directions, where the method tracks.
  void Look(const Round& round, std::span<const double> mixed);

  /// What others are told.
  std::span<const double> x() const { return x_; }
  std::span<const double> model() const { return parts_.method->pushes ? quotient_ : x_; }
  std::span<const double> v() const { return v_; }
  std::span<const double> m() const { return m_; }
  uint64_t evaluations() const { return estimator_->evaluations(); }

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(x_, before_, v_, m_);
    Divide();
    const Estimator::Memory memory = estimator_->memory();
    for (std::vector<double>* vector : memory.vectors) archive(*vector);
    archive(*memory.evaluations);
  }

 private:
  void Divide();

  const GossipParts& parts_;
  const std::unique_ptr<Estimator> estimator_;
  std::vector<double> x_, before_, v_, m_, estimate_, earlier_;  // before_: the model of the last Look
  std::vector<double> quotient_;                                 // x over its weight, where the method pushes
};

}  // namespace gradwire
