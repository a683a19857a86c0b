// SPDX-License-Identifier: Apache-2.0
#include "train/convex/convex_gossip.h"

#include <deque>

#include <fmt/format.h>

#include "gossip/gossip_rounds.h"
#include "train/checkpoint/archive.h"
#include "train/config/gossip_rules.h"
#include "train/config/modes.h"
#include "train/report/clock.h"

namespace gradwire::train {
namespace {

/// Rounds of workers that speak to their neighbours alone: all in this process, or one over the ranks' collective.
class ConvexGossip final : public ConvexDriver {
 public:
  explicit ConvexGossip(const ConvexContext& context)
      : context_(context),
        config_(context.config.gossip),
        parts_(GossipPartsOf(context.config)),
        mixing_(MixingOf(context.config, context.setup.problem->workers.size())),
        neighbours_(MakeOwnNeighbours()),
        objectives_(MakeObjectives()),
        workers_(MakeWorkers()),
        rounds_(Pointers(), *neighbours_, parts_, OpensDense(context.config)) {}

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
  void SaveOf(size_t place, Snapshot& file) override {
    PutState(file, kConvexState, RankState{*this, place}, kGossipStateVersion);
  }
  void Load(const train::Save& save) override {
    for (size_t place = 0; place < workers_.size(); ++place) {
      RankState state{*this, place};
      GetState(save.files.at(place), kConvexState, state, kGossipStateVersion);
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
    state.passes = static_cast<double>(objectives_[0].evaluations()) /
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
                    config_.method, CompressorOf(context_.config), context_.parts.estimator.name,
                    context_.config.train.steps, context_.lr, parts_.gamma, parts_.lambda),
        AboutRecords(context_.config)};
  }

 private:
  /// What a save has of one worker.
  struct RankState {
    ConvexGossip& of;
    size_t place;

    template <typename Archive>
    void serialize(Archive& archive) {
      Neighbours<double>::Kept kept;
      if constexpr (!Archive::is_loading::value) kept = of.neighbours_->Save(place);
      archive(of.workers_[place], of.objectives_[place], kept, of.wall_s_);
      if constexpr (Archive::is_loading::value) of.neighbours_->Load(place, kept);
    }
  };

  std::unique_ptr<Neighbours<double>> MakeOwnNeighbours() const {
    const ExchangeParts link = GossipLinkOf(context_.config);
    const std::vector<Parameter> parameters =
        ToldOf({{"x", {static_cast<int64_t>(context_.setup.problem->dimension())}}}, *parts_.method);
    const size_t vectors = parts_.method->vectors();
    return context_.collective != nullptr
               ? MakeNeighbours<double>(mixing_, link, parameters, vectors, *context_.collective)
               : MakeNeighbours<double>(mixing_, link, parameters, vectors);
  }

  std::deque<EstimatedObjective> MakeObjectives() const {
    std::deque<EstimatedObjective> objectives;
    for (const uint32_t worker : neighbours_->own())
      Placed(context_.config, [&] {
        return &objectives.emplace_back(*parts_.method, MakeEstimator(context_.parts.estimator, context_.setup.problem,
                                                                      worker, context_.config.run.seed));
      });
    return objectives;
  }

  std::deque<GossipWorker<double>> MakeWorkers() {
    std::deque<GossipWorker<double>> workers;
    for (EstimatedObjective& objective : objectives_)
      workers.emplace_back(context_.setup.problem->start, parts_, objective);
    return workers;
  }

  std::vector<GossipWorker<double>*> Pointers() {
    std::vector<GossipWorker<double>*> pointers;
    for (GossipWorker<double>& worker : workers_) pointers.push_back(&worker);
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
  const std::unique_ptr<Neighbours<double>> neighbours_;
  std::deque<EstimatedObjective> objectives_;
  std::deque<GossipWorker<double>> workers_;
  GossipRounds<double> rounds_;
  std::vector<double> at_ = context_.setup.problem->start;
  double spread_ = 0;
  double wall_s_ = 0;  // of all steps
};

}  // namespace

std::unique_ptr<ConvexDriver> MakeConvexGossip(const ConvexContext& context) {
  if (FindGossipMethod(context.config.gossip.method).in_pairs) return MakeConvexPairs(context);
  return std::make_unique<ConvexGossip>(context);
}

}  // namespace gradwire::train
