// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "gradwire/exchange_thread.h"
#include "train/run/network_anchor.h"
#include "train/run/network_driver.h"

namespace gradwire::train {

/// The network over the batch of each round: of round.step, also beyond the run's steps, where a driver means other
/// samples. Methods whose messages are of changes of the gradient (MARINA's) get them of one batch at two points: a
/// round makes a second pass at the point of the round before, and this holds that point. Methods of variance-reduced
/// gradients get them by an anchor. Not thread-safe.
class BatchRounds final : public Objective<float> {
 public:
  BatchRounds(const NetworkContext& context, ExchangeThread<float>& exchange);

  const std::vector<Parameter>& parameters() const override { return context_.network.parameters(); }
  void Gradient(const Round& round, BucketSink<float>& sink) override;
  std::vector<std::span<float>> parameter_values() override { return context_.network.parameter_values(); }
  std::vector<std::span<float>> gradient() override { return context_.network.gradient(); }
  void AddDecay() override { context_.network.AddDecay(); }
  void Step(double lr) override { context_.network.Step(lr); }

  void Save(Snapshot& file) const;
  void Load(const train::Save& save);

 private:
  void TellPrevious(const Round& round);

  const NetworkContext context_;
  ExchangeThread<float>& exchange_;
  const bool two_points_;
  std::optional<NetworkAnchor> anchor_;
  std::vector<float> previous_;  // point of the round before; empty before the first
};

}  // namespace gradwire::train
