// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "message/link_end.h"
#include "newton/newton_method.h"
#include "newton/newton_worker.h"
#include "newton/peers.h"

namespace gradwire {

/// Driver T4, the Newton round, of those workers that this process drives. Gradients and Hessians go through the
/// exchange, each in a channel with a link and memory of its own. What a server would do with their means is done on
/// each rank alike: all hold the same means, so that they find the same x. What it would send back is a message of that
/// rank to itself, packed and counted, through a LinkEnd whose sender is the server.
///
/// At a common point z, the model that the server has sent: with g the mean gradient, or in rounds without one
/// B (z - w) + grad f(w) of the last point w that had one,
///     x <- z - B^-1 g (or another step);  z <- what the model's link makes of x
/// and H <- H + alpha mean C(hess f_i(z) - H_i), or another map, before B is made of it or after the step (FedNL:
/// Safaryan, Islamov, Qian & Richtarik, ICML 2022, arXiv 2106.02969, algorithms 1-5; Newton-3PC: Islamov et al., TMLR
/// 2023, arXiv 2206.03588). At points of their own, of which workers that take no part in a round keep the last
/// (FedNL-PP):
///     x <- (H + l I)^-1 mean g_i;  z_i <- x;  g_i = (H_i + l_i I) w_i - grad f_i(w_i).
class NewtonRounds {
 public:
  virtual ~NewtonRounds() = default;

  /// One round, of all ranks alike.
  virtual void Step(uint64_t step) = 0;

  /// The server's point.
  virtual std::span<const double> x() const = 0;
  virtual const NewtonWorker::Counts& counts(size_t worker) const = 0;
  /// What the server has sent to a worker, or would have.
  virtual ExchangeStats model_stats(size_t worker) const = 0;

  /// All but the exchange's memory, which has the estimates of the Hessians, d (d + 1) / 2 numbers each.
  struct Memory {
    std::vector<double> x, z, w, gradient;
    LinkEnd<double>::Memory model;
    NewtonWorker::Counts counts;

    template <typename Archive>
    void serialize(Archive& archive) {
      archive(x, z, w, gradient, model, counts);
    }
  };
  virtual Memory Save(size_t worker) const = 0;
  /// Goes on as the rounds that Save was called on would have, once for each worker. Throws Error where the memory is
  /// of another problem.
  virtual void Load(const Memory& memory, size_t worker) = 0;
};

/// Throws Error where a vector is not of the problem's size.
void CheckSize(const NewtonRounds::Memory& memory, const Problem& problem);

/// Opens the channels beside the gradients', which is open with NewtonGradientParts. `peers` and `parts` outlive the
/// rounds.
std::unique_ptr<NewtonRounds> MakeNewtonRounds(Peers& peers, std::shared_ptr<const Problem> problem,
                                               const NewtonParts& parts);
/// Each worker's V_i to all, in their channel and round 0: for its bits, since every rank knows the whole problem.
void SendBasis(Peers& peers, const DataBasis& basis);

/// The parts of channel 0: gradients as the section comm has them, or, of methods that form their steps, the last ones.
ExchangeParts NewtonGradientParts(const NewtonParts& parts, const ExchangeParts& comm);

}  // namespace gradwire
