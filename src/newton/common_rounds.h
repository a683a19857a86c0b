// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>

#include "newton/model_end.h"
#include "newton/newton_rounds.h"
#include "newton/newton_server.h"

namespace gradwire {

/// Newton rounds of workers that are all at the point z that the server has sent.
class CommonRounds final : public NewtonRounds {
 public:
  CommonRounds(Peers& peers, std::shared_ptr<const Problem> problem, const NewtonParts& parts);

  void Step(uint64_t step) override;

  std::span<const double> x() const override { return server_.x(); }
  const NewtonWorker::Counts& counts(size_t worker) const override { return workers_[worker].counts; }
  ExchangeStats model_stats(size_t) const override { return model_.stats(); }
  Memory Save(size_t worker) const override;
  void Load(const Memory& memory, size_t worker) override;

 private:
  enum class Errors { kNone, kBefore, kAfter };  // of which estimates they are measured

  void Learn(uint64_t step, Errors errors);
  bool IsSpared(uint64_t step, size_t i) const;
  void TakeGradient(uint64_t step);
  double MeanValue(uint64_t step, std::span<const double> x);

  Peers& peers_;
  const std::shared_ptr<const Problem> problem_;
  const NewtonParts& parts_;
  std::deque<NewtonWorker> workers_;
  std::vector<std::span<double>> gradients_, numbers_;  // of the workers
  NewtonServer server_;
  ModelEnd model_;
  std::vector<std::vector<double>> hessians_;  // of the workers, where errors are measured after they were sent
  std::vector<double> h_;                      // the server's H, packed, where the exchange does not hold it
  std::vector<double> w_, gradient_, g_;  // the last point that had gradients, their mean, and what the step is along
};

}  // namespace gradwire
