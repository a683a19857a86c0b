// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "gossip/gossip_method.h"
#include "gossip/gossip_objective.h"

namespace gradwire {

/// What a run of neighbours is made of.
struct GossipParts {
  const GossipMethod* method = nullptr;
  double gamma = 1;   ///< share of the difference to the neighbours, in (0, 1]
  double lambda = 1;  ///< share of the new estimate in the momentum, in (0, 1]
};

/// One worker's x, direction v and momentum m: all parameters, one behind another; where the method pushes, x has a
/// weight as one more element, and the model is x over it. Not thread-safe.
template <typename T>
class GossipWorker {
 public:
  /// Begins at the model `start`. `parts` and `objective` outlive it.
  GossipWorker(std::vector<T> start, const GossipParts& parts, GossipObjective<T>& objective);

  /// m = v = the estimate at x^0, by the samples of round 0.
  void Begin();
  /// x <- x + mixed - lr v, `mixed`: gamma sum_j w_ij (h_j - h_i), or nothing.
  void Move(std::span<const T> mixed, double lr);
  void Mix(std::span<const T> mixed);
  /// m and v at the model, by the samples of that round. `mixed`: of directions, where the method tracks.
  void Look(const Round& round, std::span<const T> mixed);

  /// What others are told.
  std::span<const T> x() const { return x_; }
  std::span<const T> model() const { return parts_.method->pushes ? quotient_ : x_; }
  std::span<const T> v() const { return v_; }
  std::span<const T> m() const { return m_; }

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(x_, before_, v_, m_);
    Divide();
  }

 private:
  void Divide();

  const GossipParts& parts_;
  GossipObjective<T>& objective_;
  std::vector<T> x_, before_, v_, m_, estimate_,
      earlier_;              // before_: the model of the last Look; the last two: scratch
  std::vector<T> quotient_;  // x over its weight, where the method pushes
};

}  // namespace gradwire
