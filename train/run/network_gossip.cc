// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "gossip/gossip_rounds.h"
#include "gradwire/cost.h"
#include "train/checkpoint/archive.h"
#include "train/config/gossip_rules.h"
#include "train/config/placed.h"
#include "train/network/at_model.h"
#include "train/report/clock.h"
#include "train/run/network_driver.h"
#include "train/run/whole_model.h"

namespace gradwire::train {
namespace {

constexpr const char* kState = "gossip";
/// Batches of a rank that batch norm's statistics are measured on, at a model that no rank has trained.
constexpr int64_t kStatisticsBatches = 16;

/// The network over this rank's batches; weight decay is part of the gradient.
class BatchObjective final : public GossipObjective<float> {
 public:
  explicit BatchObjective(const NetworkContext& context) : context_(context) {}

  void Sample(const Round& round) override {
    step_ = round.draw();
    context_.SetBatch(static_cast<int64_t>(step_));
    is_new_ = true;
  }

  void Estimate(std::span<const float> x, std::span<float> out) override {
    const double begin = Now();
    const std::vector<Parameter>& parameters = context_.network.parameters();
    Tally seen;
    const auto gradients = context_.network.GradientAt(Parts(x, parameters), &seen);
    size_t at = 0;
    for (size_t p = 0; p < parameters.size(); at += parameters[p++].numel()) {
      const auto& optimizer = context_.config.optimizer;
      const auto decay =
          static_cast<float>(parameters[p].shape.size() > 1 ? optimizer.weight_decay : optimizer.weight_decay_bn);
      const float* const gradient = gradients[p].const_data_ptr<float>();
      for (size_t j = 0; j < parameters[p].numel(); ++j) out[at + j] = gradient[j] + decay * x[at + j];
    }
    if (!std::isfinite(seen.loss))
      throw Error("step " + std::to_string(step_) + ": the loss is " + std::to_string(seen.loss) + " on rank " +
                  std::to_string(context_.env.rank) + "; lower optimizer.lr or gossip.gamma");
    if (is_new_) context_.network.AddTally(seen);  // two points of one batch count once
    is_new_ = false;
    compute_s_ += Now() - begin;
  }

  double compute_s() const { return compute_s_; }

 private:
  const NetworkContext& context_;
  uint64_t step_ = 0;
  bool is_new_ = true;
  double compute_s_ = 0;
};

/// Rounds of ranks that speak to their neighbours alone. A rank's network holds its own model; evaluated is what
/// gossip.evaluate says, with batch norm's statistics measured there, and it is what remains at the end.
class NetworkGossip final : public NetworkDriver {
 public:
  NetworkGossip(const NetworkContext& context, const std::function<void(const std::string&)>& log)
      : context_(context),
        parts_(GossipPartsOf(context.config)),
        mixing_(MixingOf(context.config, static_cast<size_t>(context.env.world_size))),
        neighbours_(Placed(context.config,
                           [&] {
                             return MakeNeighbours<float>(mixing_, GossipLinkOf(context.config),
                                                          ToldOf(context.network.parameters(), *parts_.method),
                                                          parts_.method->vectors(), *context.world.metrics_collective);
                           })),
        objective_(context_),
        worker_(WholePoint(context.network), parts_, objective_),
        rounds_({&worker_}, *neighbours_, parts_, OpensDense(context.config)) {
    log(GossipText(context.config, mixing_));
  }

  void Begin(const Round& round) override {
    if (round.step != 0) return;
    rounds_.Begin();
    context_.network.TakeTally();  // a look at x^0 is no part of a step
  }

  bool Step(const Round& round) override {
    const double begin = Now(), computed = objective_.compute_s();
    rounds_.Step(round);
    if (rounds_.has_diverged())
      throw Error("step " + std::to_string(round.step) + ": rank " + std::to_string(context_.env.rank) +
                  " has a vector that is not finite; lower optimizer.lr or gossip.gamma");
    PutModel(worker_.model());
    exposed_s_ += Now() - begin - (objective_.compute_s() - computed);
    return true;
  }

  void End(const Round&) override {
    Measure();
    PutModel(evaluated_);
  }

  std::vector<std::span<const float>> PrepareEvaluation() override {
    Measure();
    std::vector<at::Tensor> batches;
    for (int64_t i = 0; i < std::min(kStatisticsBatches, context_.batches.per_epoch()); ++i)
      batches.push_back(context_.batches.Train(i).images);
    const AtModel there(context_.network.parameter_values(), Evaluated());
    context_.network.MeasureStatistics(batches);
    return Evaluated();
  }

  std::optional<double> spread() const override { return spread_; }

  Totals totals() override {
    Totals totals;
    totals.stats = neighbours_->stats(0);
    totals.exposed_s = exposed_s_;
    return totals;
  }
  int workers() const override { return context_.env.world_size; }
  uint64_t dense_bytes() const override {
    return DenseRingBytes(context_.network.parameters(), context_.env.world_size);
  }

  void Save(Snapshot& file) override {
    context_.network.Save(file);
    PutState(file, kState, RankState{*this}, kGossipStateVersion);
  }

  void Load(const train::Save& save) override {
    context_.network.Load(save.files[0]);
    RankState state{*this};
    GetState(save.files[0], kState, state, kGossipStateVersion);
  }

 private:
  struct RankState {
    NetworkGossip& of;

    template <typename Archive>
    void serialize(Archive& archive) {
      Neighbours<float>::Kept kept;
      if constexpr (!Archive::is_loading::value) kept = of.neighbours_->Save(0);
      archive(of.worker_, kept);
      if constexpr (Archive::is_loading::value) of.neighbours_->Load(0, kept);
    }
  };

  void PutModel(std::span<const float> x) {
    size_t at = 0;
    for (const std::span<float> own : context_.network.parameter_values()) {
      std::ranges::copy(x.subspan(at, own.size()), own.begin());
      at += own.size();
    }
  }

  std::vector<std::span<const float>> Evaluated() const { return Parts(evaluated_, context_.network.parameters()); }

  /// All ranks call it alike.
  void Measure() {
    const Spread spread = rounds_.Measure();
    spread_ = spread.distance;
    std::vector<double> at = spread.average;
    if (context_.config.gossip.evaluate == "first") {
      std::ranges::fill(at, 0);
      if (context_.env.rank == 0) std::ranges::copy(worker_.model(), at.begin());
      neighbours_->Sum(at);
    }
    evaluated_.assign(at.begin(), at.end());
  }

  const NetworkContext context_;
  const GossipParts parts_;
  const Mixing mixing_;
  const std::unique_ptr<Neighbours<float>> neighbours_;
  BatchObjective objective_;
  GossipWorker<float> worker_;
  GossipRounds<float> rounds_;
  std::vector<float> evaluated_;
  std::optional<double> spread_;
  double exposed_s_ = 0;
};

}  // namespace

std::unique_ptr<NetworkDriver> MakeNetworkGossip(const NetworkContext& context,
                                                 const std::function<void(const std::string&)>& log) {
  return std::make_unique<NetworkGossip>(context, log);
}

}  // namespace gradwire::train
