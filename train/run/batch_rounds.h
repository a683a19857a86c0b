// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "gradwire/exchange_thread.h"
#include "train/run/steps.h"

namespace gradwire::train {

/// The network over the batch of each round: of round.step, also beyond the run's steps, where a driver means other
/// samples. Methods whose messages are of changes of the gradient (MARINA's) get them of one batch at two points: a
/// round makes a second pass at the point of the round before, and this holds that point. Not thread-safe.
class BatchRounds final : public Objective<float> {
 public:
  BatchRounds(const StepsOf& of, ExchangeThread<float>& exchange);

  const std::vector<Parameter>& parameters() const override { return of_.network.parameters(); }
  void Gradient(const Round& round, BucketSink<float>& sink) override;
  std::vector<std::span<float>> Point() override { return of_.network.Point(); }
  std::vector<std::span<float>> Slope() override { return of_.network.Slope(); }
  void AddDecay() override { of_.network.AddDecay(); }
  void Step(double lr) override { of_.network.Step(lr); }

  void Save(Snapshot& file) const;
  void Load(const Snapshot& file);

 private:
  void TellPrevious(const Round& round);

  const StepsOf of_;
  ExchangeThread<float>& exchange_;
  const bool two_points_;
  std::vector<float> previous_;  // point of the round before; empty before the first
};

}  // namespace gradwire::train
