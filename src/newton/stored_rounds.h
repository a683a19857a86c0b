// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>

#include "newton/model_end.h"
#include "newton/newton_rounds.h"
#include "newton/newton_server.h"
#include "newton/stored_form.h"

namespace gradwire {

/// Newton rounds of workers that have points of their own, z_i, sent by the server when they took part last, and w_i,
/// the last one that they had a gradient at: x = B^-1 of the mean of what they have reported, now or before.
class StoredRounds final : public NewtonRounds {
 public:
  StoredRounds(Peers& peers, std::shared_ptr<const Problem> problem, const NewtonParts& parts,
               std::unique_ptr<StoredForm> form);

  void Step(uint64_t step) override;

  std::span<const double> x() const override { return server_.x(); }
  const NewtonWorker::Counts& counts(size_t worker) const override { return own_[worker].worker.counts; }
  ExchangeStats model_stats(size_t worker) const override { return own_[worker].model.stats(); }
  Memory Save(size_t worker) const override;
  void Load(const Memory& memory, size_t worker) override;

 private:
  struct Own {
    NewtonWorker worker;
    ModelEnd model;  // z_i
    std::vector<double> w, hessian;
  };

  void Draw(uint64_t step);
  void Report(uint64_t step);

  Peers& peers_;
  const std::shared_ptr<const Problem> problem_;
  const NewtonParts& parts_;
  std::deque<Own> own_;                                  // by worker
  std::vector<std::span<double>> gradients_, hessians_;  // of the workers
  std::vector<uint8_t> rests_, is_without_gradient_;     // in this round
  const std::unique_ptr<StoredForm> form_;
  NewtonServer server_;
};

}  // namespace gradwire
