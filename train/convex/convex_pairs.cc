// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "gossip/pair_rounds.h"
#include "train/checkpoint/archive.h"
#include "train/config/async_rules.h"
#include "train/config/gossip_rules.h"
#include "train/convex/convex_gossip.h"
#include "train/report/clock.h"

namespace gradwire::train {
namespace {

/// Workers that average in pairs, on a simulated clock, in the thread of one rank. A step is a worker's gradient.
class ConvexPairs final : public ConvexDriver {
 public:
  explicit ConvexPairs(const ConvexContext& context)
      : context_(context),
        problem_(*context.setup.problem),
        mixing_(MixingOf(context.config, context.setup.problem->workers.size())),
        pairs_(problem_.start, mixing_, GossipLinkOf(context.config),
               DelaysOf(context.config.async, problem_.workers.size()), EstimatorsOf(context),
               context.config.run.seed) {}

  void Begin(const Round& round) override {
    if (round.step == 0) pairs_.Begin();
    Look();
  }

  bool Step(const Round& round) override {
    const double begin = Now();
    pairs_.Step(round.lr);
    wall_s_ += Now() - begin;
    return true;
  }

  bool is_finite() const override { return pairs_.is_finite(); }

  void Save(Snapshot& file) override { SaveOf(0, file); }
  void SaveOf(size_t place, Snapshot& file) override { PutState(file, kConvexState, WorkerState{*this, place}); }
  void Load(const train::Save& save) override {
    for (size_t place = 0; place < pairs_.size(); ++place) {
      WorkerState state{*this, place};
      GetState(save.files.at(place), kConvexState, state);
    }
  }

  std::span<const double> agreed() const override { return at_; }

  void Describe(ConvexState& state) override {
    Look();
    uint64_t sent = 0;
    for (size_t worker = 0; worker < pairs_.size(); ++worker) sent += 8 * pairs_.sent(worker).bytes_sent();
    const ExchangeStats& first = pairs_.sent(0);
    state.wall_s = wall_s_, state.spread = spread_, state.clock = pairs_.now(), state.stats = pairs_.stats();
    state.bits_up = 8 * first.bytes_sent(), state.bits_payload = 8 * first.payload_bytes;
    state.bits_paper = first.paper_bits;
    state.bits_down = static_cast<double>(sent) / static_cast<double>(pairs_.size());
    state.passes = static_cast<double>(pairs_.evaluations(0)) / static_cast<double>(problem_.workers[0]->samples());
  }

  int64_t steps_per_epoch() const override {
    return StepsPerEpoch(context_.parts.estimator, problem_) * static_cast<int64_t>(pairs_.size());
  }

  std::vector<std::string> Introduction() const override {
    const Config& config = context_.config;
    return {fmt::format("{} {}: {} workers, d = {}; graph {}: {} edges", config.objective.name, config.objective.data,
                        pairs_.size(), at_.size(), config.gossip.graph, mixing_.edges()),
            fmt::format("{}, estimator {}; {} gradients with step size {:.6g}, delay {}", config.gossip.method,
                        context_.parts.estimator.name, config.train.steps, context_.lr, config.async.delay),
            AboutRecords(config)};
  }

 private:
  /// What a save has of one worker.
  struct WorkerState {
    ConvexPairs& of;
    size_t place;

    template <typename Archive>
    void serialize(Archive& archive) {
      of.pairs_.Archived(place, archive);
      archive(of.wall_s_);
    }
  };

  static std::vector<std::unique_ptr<Estimator>> EstimatorsOf(const ConvexContext& context) {
    std::vector<std::unique_ptr<Estimator>> estimators;
    for (uint32_t i = 0; i < context.setup.problem->workers.size(); ++i)
      estimators.push_back(Placed(context.config, [&] {
        return MakeEstimator(context.parts.estimator, context.setup.problem, i, context.config.run.seed);
      }));
    return estimators;
  }

  void Look() {
    Spread spread = pairs_.Measure();
    spread_ = spread.distance;
    const std::span<const double> first = pairs_.model(0);
    at_ = context_.config.gossip.evaluate == "average" ? std::move(spread.average)
                                                       : std::vector<double>(first.begin(), first.end());
  }

  const ConvexContext context_;
  const Problem& problem_;
  const Mixing mixing_;
  PairRounds pairs_;
  std::vector<double> at_ = problem_.start;
  double spread_ = 0;
  double wall_s_ = 0;  // of all steps
};

}  // namespace

std::unique_ptr<ConvexDriver> MakeConvexPairs(const ConvexContext& context) {
  return std::make_unique<ConvexPairs>(context);
}

}  // namespace gradwire::train
