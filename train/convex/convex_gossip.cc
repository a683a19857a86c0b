// SPDX-License-Identifier: Apache-2.0
#include "train/convex/convex_gossip.h"

#include <deque>
#include <map>

#include <fmt/format.h>

#include "gossip/gossip_rounds.h"
#include "train/checkpoint/archive.h"
#include "train/report/clock.h"

namespace gradwire::train {
namespace {

/// Rounds of workers that speak to their neighbours alone: all in this process, or one over the ranks' collective.
class ConvexGossip final : public ConvexDriver {
 public:
  explicit ConvexGossip(const ConvexContext& context)
      : context_(context),
        config_(context.config.gossip),
        parts_{&FindGossipMethod(config_.method), config_.gamma.value(), config_.lambda.value()},
        mixing_(MixingOf(context)),
        neighbours_(MakeOwnNeighbours()),
        workers_(MakeWorkers()),
        rounds_(Pointers(), *neighbours_, parts_, parts_.method->Opens(config_.opening == "dense")) {}

  void Begin(const Round& round) override {
    if (round.step == 0) rounds_.Begin();
    Look();
  }

  bool Step(const Round& round) override {
    const double begin = Now();
    rounds_.Step(round);
    wall_s_ += Now() - begin;
    return true;
  }

  bool is_finite() const override { return !rounds_.has_diverged(); }

  void Save(Snapshot& file) override { SaveOf(0, file); }
  void SaveOf(size_t place, Snapshot& file) override { PutState(file, kConvexState, RankState{*this, place}); }
  void Load(const train::Save& save) override {
    for (size_t place = 0; place < workers_.size(); ++place) {
      RankState state{*this, place};
      GetState(save.files.at(place), kConvexState, state);
    }
  }

  std::span<const double> agreed() const override { return at_; }

  void Describe(ConvexState& state) override {
    Look();
    double sent = 0;
    for (size_t place = 0; place < workers_.size(); ++place)
      sent += 8 * static_cast<double>(neighbours_->stats(place).bytes_sent());
    neighbours_->Sum(std::span(&sent, 1));
    const ExchangeStats first = neighbours_->stats(0);
    state.wall_s = wall_s_, state.spread = spread_;
    state.bits_up = 8 * first.bytes_sent(), state.bits_payload = 8 * first.payload_bytes;
    state.bits_paper = first.paper_bits;
    state.bits_down = sent / static_cast<double>(mixing_.workers());
    state.passes = static_cast<double>(workers_[0].evaluations()) /
                   static_cast<double>(context_.setup.problem->workers[neighbours_->own()[0]]->samples());
  }

  int64_t steps_per_epoch() const override { return StepsPerEpoch(context_.parts.estimator, *context_.setup.problem); }

  std::vector<std::string> Introduction() const override {
    const std::string rounds =
        mixing_.rounds.size() == 1 ? "" : fmt::format(" of {} rounds together", mixing_.rounds.size());
    return {
        fmt::format("{} {}: {} workers, d = {}; graph {}: {} {}, spectral gap {:.6g}{}", context_.config.objective.name,
                    context_.config.objective.data, mixing_.workers(), at_.size(), config_.graph, mixing_.edges(),
                    mixing_.is_directed ? "messages a round" : "edges", mixing_.gap, rounds),
        fmt::format("{}, compressor {}, estimator {}; {} rounds with step size {:.6g}, gamma {}, lambda {}",
                    config_.method, parts_.method->compresses ? context_.config.comm.compressor : "none",
                    context_.parts.estimator.name, context_.config.train.steps, context_.lr, parts_.gamma,
                    parts_.lambda),
        EvaluatedText(context_.config)};
  }

 private:
  /// What a save has of one worker.
  struct RankState {
    ConvexGossip& of;
    size_t place;

    template <typename Archive>
    void serialize(Archive& archive) {
      Neighbours::Kept kept;
      if constexpr (!Archive::is_loading::value) kept = of.neighbours_->Save(place);
      archive(of.workers_[place], kept, of.wall_s_);
      if constexpr (Archive::is_loading::value) of.neighbours_->Load(place, kept);
    }
  };

  std::unique_ptr<Neighbours> MakeOwnNeighbours() const {
    ExchangeParts link =
        GossipLinkParts(*parts_.method, CommOf(context_.config), config_.opening == "dense", context_.config.run.seed);
    link.count_as = context_.parts.exchange.count_as;
    const size_t dimension = context_.setup.problem->dimension() + (parts_.method->pushes ? 1 : 0);
    return context_.collective != nullptr ? MakeNeighbours(mixing_, link, dimension, *context_.collective)
                                          : MakeNeighbours(mixing_, link, dimension);
  }

  std::deque<GossipWorker> MakeWorkers() const {
    std::deque<GossipWorker> workers;
    for (const uint32_t worker : neighbours_->own())
      Placed(context_.config, [&] {
        return &workers.emplace_back(
            *context_.setup.problem, parts_,
            MakeEstimator(context_.parts.estimator, context_.setup.problem, worker, context_.config.run.seed));
      });
    return workers;
  }

  std::vector<GossipWorker*> Pointers() {
    std::vector<GossipWorker*> pointers;
    for (GossipWorker& worker : workers_) pointers.push_back(&worker);
    return pointers;
  }

  /// All ranks call it alike.
  void Look() {
    Spread spread = rounds_.Measure();
    spread_ = spread.distance;
    at_ = config_.evaluate == "average" ? std::move(spread.average)
                                        : std::vector<double>(workers_[0].model().begin(), workers_[0].model().end());
  }

  const ConvexContext context_;
  const GossipConfig& config_;
  const GossipParts parts_;
  const Mixing mixing_;
  const std::unique_ptr<Neighbours> neighbours_;
  std::deque<GossipWorker> workers_;
  GossipRounds rounds_;
  std::vector<double> at_ = context_.setup.problem->start;
  double spread_ = 0;
  double wall_s_ = 0;  // of all steps
};

}  // namespace

Mixing MixingOf(const ConvexContext& context) {
  static const std::map<std::string, WeightRule> rules = {
      {"auto", WeightRule::kAuto}, {"metropolis", WeightRule::kMetropolis}, {"uniform", WeightRule::kUniform}};
  const GossipConfig& gossip = context.config.gossip;
  const GossipMethod& method = FindGossipMethod(gossip.method);
  const WeightRule rule = method.in_pairs ? WeightRule::kMetropolis : rules.at(gossip.weights);
  return Placed(context.config, [&] {
    return MakeMixing(gossip.graph, rule, context.setup.problem->workers.size(), context.config.run.seed,
                      method.asks());
  });
}

std::string EvaluatedText(const Config& config) {
  return fmt::format("records are about {}; spread: sqrt(mean_i ||x_i - their average||^2)",
                     config.gossip.evaluate == "average" ? "the average of all models" : "rank 0's model");
}

std::unique_ptr<ConvexDriver> MakeConvexGossip(const ConvexContext& context) {
  if (FindGossipMethod(context.config.gossip.method).in_pairs) return MakeConvexPairs(context);
  return std::make_unique<ConvexGossip>(context);
}

}  // namespace gradwire::train
