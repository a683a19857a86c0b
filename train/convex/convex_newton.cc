// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/symmetric.h"
#include "newton/newton_rounds.h"
#include "train/checkpoint/archive.h"
#include "train/convex/convex_driver.h"
#include "train/convex/convex_exchange.h"
#include "train/report/clock.h"

namespace gradwire::train {
namespace {

class ConvexNewton final : public ConvexDriver {
 public:
  explicit ConvexNewton(const ConvexContext& context)
      : context_(context),
        parts_(Placed(context.config,
                      [&] {
                        return MakeNewtonParts(context.config.newton, *context.setup.problem, context.config.run.seed,
                                               context.parts.exchange.count_as);
                      })),
        exchange_(MakeConvexExchange(context, {{"x", {static_cast<int64_t>(context.setup.problem->dimension())}}},
                                     NewtonGradientParts(parts_, context.parts.exchange))),
        peers_(exchange_->MakePeers()),
        rounds_(MakeNewtonRounds(*peers_, context.setup.problem, parts_)),
        before_(peers_->size()) {}

  bool Step(const Round& round) override {
    const double begin = Now();
    rounds_->Step(round.step);
    wall_s_ += Now() - begin;
    return true;
  }

  bool is_finite() const override {
    return std::ranges::all_of(rounds_->x(), [](double v) { return std::isfinite(v); });
  }

  void Save(Snapshot& file) override { SaveOf(0, file); }
  void SaveOf(size_t place, Snapshot& file) override {
    PutState(file, kConvexState, RankState{*this, place});
    exchange_->SaveOpenings(file);
  }
  void Load(const train::Save& save) override {
    std::vector<ConvexMemory> memory(peers_->size());
    for (size_t place = 0; place < memory.size(); ++place) {
      RankState state{*this, place};
      GetState(save.files.at(place), kConvexState, state);
      memory[place] = std::move(state.memory);
    }
    exchange_->Load(std::move(memory));
    exchange_->LoadOpenings(save);
  }

  std::span<const double> agreed() const override { return rounds_->x(); }

  void Describe(ConvexState& state) override {
    double sent = 0;
    for (size_t place = 0; place < peers_->size(); ++place) {
      ExchangeStats stats = Stats(place);
      stats += rounds_->model_stats(place);
      sent += 8 * static_cast<double>(stats.bytes_sent());
    }
    const ExchangeStats first = Stats(0);
    state.wall_s = wall_s_;
    state.bits_up = 8 * first.bytes_sent(), state.bits_payload = 8 * first.payload_bytes;
    state.bits_paper = first.paper_bits;
    state.bits_paper_down = rounds_->model_stats(0).paper_bits;
    state.bits_down = exchange_->Sum(sent) / peers_->ranks();
    state.passes = static_cast<double>(rounds_->counts(0).passes());
    state.hessians = rounds_->counts(0).hessians;
  }

  int64_t steps_per_epoch() const override { return 1; }

  std::vector<std::string> Introduction() const override {
    const Config& config = context_.config;
    const Problem& p = *context_.setup.problem;
    std::vector<std::string> lines = {
        fmt::format("{} {}: {} workers, d = {}, L = {:.6g}, max L_i = {:.6g}, mu = {:.6g}", config.objective.name,
                    config.objective.data, p.workers.size(), p.dimension(), p.smoothness, p.max_worker_smoothness(),
                    p.strong_convexity),
        fmt::format("method {}, Hessians by {}, {}, the model by {}; gradients by {}, {}; {} rounds",
                    parts_.method->name, parts_.hessian.link.name, parts_.hessian.compressor->spec(),
                    parts_.model.compressor->spec(), config.comm.method, config.comm.compressor, config.train.steps)};
    if (parts_.method->hessians == NewtonMethod::Hessians::kAtSolution)
      lines.emplace_back("the Hessian at the solution is known to nobody: for theory");
    if (config.checkpoint.is_on() && parts_.hessian.link.holds_h())
      lines.push_back(fmt::format("saves hold {} numbers: each worker's estimate of its Hessian, and their mean",
                                  2 * p.workers.size() * PackedNumel(p.dimension())));
    return lines;
  }

 private:
  /// What a save has of one worker.
  struct RankState {
    ConvexNewton& of;
    size_t place;
    ConvexMemory memory = {};  ///< loaded

    template <typename Archive>
    void serialize(Archive& archive) {
      NewtonRounds::Memory rounds = of.rounds_->Save(place);
      memory = of.exchange_->Save(place);
      ExchangeStats stats = of.Stats(place);
      archive(rounds, memory, stats, of.wall_s_);
      if constexpr (Archive::is_loading::value) {
        of.rounds_->Load(rounds, place);
        of.before_[place] = stats;
      }
    }
  };

  ExchangeStats Stats(size_t place) const {
    ExchangeStats stats = before_[place];
    return stats += exchange_->stats(place);
  }

  const ConvexContext context_;
  const NewtonParts parts_;
  const std::unique_ptr<ConvexExchange> exchange_;
  const std::unique_ptr<Peers> peers_;
  const std::unique_ptr<NewtonRounds> rounds_;
  std::vector<ExchangeStats> before_;  // by worker, of the save that the run went on from
  double wall_s_ = 0;                  // of all steps
};

}  // namespace

std::unique_ptr<ConvexDriver> MakeConvexNewton(const ConvexContext& context) {
  return std::make_unique<ConvexNewton>(context);
}

}  // namespace gradwire::train
