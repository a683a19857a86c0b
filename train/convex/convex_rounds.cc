// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <deque>

#include <fmt/format.h>

#include "compress/smooth.h"
#include "driver/delayed.h"
#include "driver/model_round.h"
#include "estimate/attack.h"
#include "estimate/convex_worker.h"
#include "gradwire/cost.h"
#include "gradwire/method.h"
#include "problem/personal_sum.h"
#include "train/checkpoint/archive.h"
#include "train/config/modes.h"
#include "train/convex/convex_driver.h"
#include "train/convex/convex_exchange.h"
#include "train/convex/convex_point.h"
#include "train/report/clock.h"

namespace gradwire::train {
namespace {

/// One worker with what it steps by.
struct OneOfMany {
  OneOfMany(const ConvexContext& context, uint32_t rank)
      : worker(context.setup.problem, rank,
               Placed(context.config,
                      [&] {
                        return MakeEstimator(context.parts.estimator, context.setup.problem, rank,
                                             context.config.run.seed);
                      })),
        attacker(MakeAttacker(context, rank, worker)),
        delayed(attacker ? static_cast<Objective<double>&>(*attacker) : worker, context.config.train.delay) {}

  ConvexWorker worker;
  std::optional<Attacker> attacker;  // in place of an honest worker
  Delayed<double> delayed;
  ExchangeStats before = {};  // of the save that the run went on from

 private:
  static std::optional<Attacker> MakeAttacker(const ConvexContext& context, uint32_t rank, ConvexWorker& worker) {
    const ObjectiveConfig& objective = context.config.objective;
    const auto wrong = static_cast<size_t>(objective.byzantine);
    if (rank + wrong < context.setup.problem->workers.size()) return std::nullopt;
    return Attacker(worker, context.setup.problem, wrong, rank, objective.attack, context.config.run.seed);
  }
};

class ConvexRounds final : public ConvexDriver {
 public:
  explicit ConvexRounds(const ConvexContext& context)
      : context_(context),
        own_(MakeOwn()),
        exchange_(OpenExchange()),
        workers_(exchange_->MakeWorkers(Objectives())),
        rounds_(*workers_, LocalOf(context.config), context.config.run.seed, FirstRank(),
                [this] { exchange_->ForgetMemory(); }),
        agreed_(own_[0].worker.x()) {
    if (context.config.analysis.alpha_beta) reference_ = ReadReference(context.config, agreed_.size());
  }

  bool Step(const Round& round) override {
    if (!reference_.empty()) Look(round);
    const double begin = Now();
    const bool agreed = rounds_.Step(round);
    if (agreed) agreed_ = own_[0].worker.x();
    wall_s_ += Now() - begin;
    return agreed;
  }

  bool is_finite() const override {
    return std::ranges::all_of(own_, [](const OneOfMany& one) {
      return std::ranges::all_of(one.worker.x(), [](double v) { return std::isfinite(v); });
    });
  }

  void Save(Snapshot& file) override { SaveOf(0, file); }
  void SaveOf(size_t place, Snapshot& file) override {
    PutState(file, kConvexState, RankState{*this, place});
    exchange_->SaveOpenings(file);
  }
  void Load(const train::Save& save) override {
    std::vector<ConvexMemory> memory(own_.size());
    for (size_t place = 0; place < own_.size(); ++place) {
      RankState state{*this, place};
      GetState(save.files.at(place), kConvexState, state);
      memory[place] = std::move(state.memory);
    }
    exchange_->Load(std::move(memory));
    exchange_->LoadOpenings(save);
  }

  std::span<const double> agreed() const override { return agreed_; }

  std::optional<AlphaBetaMeter> alpha_beta() override {
    if (reference_.empty()) return std::nullopt;
    AlphaBetaMeter all;
    const std::vector<double> own = seen_.Numbers();
    const uint32_t ranks = context_.collective != nullptr ? AllRanks() : 1;
    for (uint32_t rank = 0; rank < ranks; ++rank) {  // few numbers, once in a run
      std::vector<double> numbers;
      for (const double number : own) numbers.push_back(exchange_->Sum(rank == FirstRank() ? number : 0));
      all.Add(AlphaBetaMeter::Of(numbers));
    }
    return all;
  }

  void Describe(ConvexState& state) override {
    double sent = 0;
    for (size_t place = 0; place < own_.size(); ++place) sent += 8 * static_cast<double>(Stats(place).bytes_sent());
    const ExchangeStats first = Stats(0);
    state.wall_s = wall_s_;
    state.bits_up = 8 * first.bytes_sent(), state.bits_payload = 8 * first.payload_bytes;
    state.bits_paper = first.paper_bits;
    state.bits_down = exchange_->Sum(sent) / AllRanks();
    state.passes = own_[0].worker.passes();
  }

  int64_t steps_per_epoch() const override { return StepsPerEpoch(context_.parts.estimator, *context_.setup.problem); }

  std::vector<std::string> Introduction() const override {
    const Config& config = context_.config;
    const Problem& p = *context_.setup.problem;
    std::vector<std::string> lines = {
        fmt::format("{} {}: {} workers, d = {}, L = {:.6g}, max L_i = {:.6g}, max L_il = {:.6g}, mu = {:.6g}",
                    config.objective.name, config.objective.data, p.workers.size(), p.dimension(), p.smoothness,
                    p.max_worker_smoothness(), p.max_sample_smoothness, p.strong_convexity),
        fmt::format("method {}, compressor {}, estimator {}; {} rounds with step size {:.6g}{}", config.comm.method,
                    config.comm.compressor, context_.parts.estimator.name, config.train.steps, context_.lr,
                    config.optimizer.lr.is_theory ? " by theory" : "")};
    if (const PersonalSum* own = p.workers[0]->personal())
      lines.push_back(
          fmt::format("each worker has {} unknowns of its own, which no message has; inner solver {}{}",
                      own->own_dimension(), config.objective.inner,
                      context_.parts.estimator.inner.is_exact() ? "" : ", " + config.objective.inner_start));
    const ExchangeParts& parts = context_.parts.exchange;
    if (NeedsSmoothness(*parts.compressor) || (parts.learner && NeedsSmoothness(*parts.learner)))
      lines.push_back(
          fmt::format("both ends know the smoothness matrix of each worker from the start: a system would "
                      "send d^2 = {} numbers of each once, which no bits here count",
                      p.dimension() * p.dimension()));
    AddAggregate(lines);
    const ExchangeParts usual = MakeParts(CommOf(config), config.run.seed);
    AddCoefficients("up", context_.parts.exchange.link, usual.link, lines);
    AddCoefficients("back", context_.parts.exchange.down, usual.down, lines);
    return lines;
  }

 private:
  void Look(const Round& round) {
    for (const OneOfMany& one : own_)
      if (const auto view = one.worker.Look(round, reference_)) seen_.Add(*view);
  }

  /// What a save has of one worker.
  struct RankState {
    ConvexRounds& of;
    size_t place;
    ConvexMemory memory = {};  ///< loaded

    template <typename Archive>
    void serialize(Archive& archive) {
      OneOfMany& own = of.own_[place];
      auto rounds = of.rounds_.Save(place);
      memory = of.exchange_->Save(place);
      ExchangeStats stats = of.Stats(place);
      archive(own.worker, own.delayed, rounds, memory, stats, of.agreed_, of.wall_s_);
      if constexpr (Archive::is_loading::value) {
        of.rounds_.Load(std::move(rounds), place);
        own.before = stats;
      }
    }
  };

  uint32_t AllRanks() const { return static_cast<uint32_t>(context_.setup.problem->workers.size()); }
  uint32_t FirstRank() const {
    return context_.collective != nullptr ? static_cast<uint32_t>(context_.collective->rank()) : 0;
  }
  std::deque<OneOfMany> MakeOwn() const {
    std::deque<OneOfMany> own;
    const uint32_t count = context_.collective != nullptr ? 1 : AllRanks();
    for (uint32_t i = 0; i < count; ++i) own.emplace_back(context_, FirstRank() + i);
    return own;
  }
  std::unique_ptr<ConvexExchange> OpenExchange() const {
    auto exchange = MakeConvexExchange(context_, own_[0].worker.parameters(), context_.parts.exchange);
    for (const uint32_t channel : ChannelsOf(LocalOf(context_.config))) exchange->Open(channel);
    return exchange;
  }
  std::vector<Objective<double>*> Objectives() {
    std::vector<Objective<double>*> objectives;
    for (OneOfMany& one : own_) objectives.push_back(&one.delayed);
    return objectives;
  }

  ExchangeStats Stats(size_t place) const {
    ExchangeStats stats = own_[place].before;
    return stats += exchange_->stats(place);
  }

  void AddAggregate(std::vector<std::string>& lines) const {
    const ObjectiveConfig& objective = context_.config.objective;
    if (objective.byzantine > 0)
      lines.push_back(fmt::format("the last {} of {} workers send {} in place of their gradients", objective.byzantine,
                                  AllRanks(), objective.attack.text()));
    if (const auto notice = AggregateNotice(context_.parts.exchange, AllRanks())) lines.push_back(*notice);
  }

  /// Those that are not what the method says by itself.
  static void AddCoefficients(const char* way, const Link& here, const Link& usual, std::vector<std::string>& lines) {
    if (here.numbers() != usual.numbers())
      lines.push_back(fmt::format("the problem sets the coefficients of the way {}: {}", way, here.numbers()));
  }

  const ConvexContext context_;
  std::deque<OneOfMany> own_;  // a worker, or all
  const std::unique_ptr<ConvexExchange> exchange_;
  const std::unique_ptr<Workers<double>> workers_;
  ModelRounds<double> rounds_;
  std::vector<double> agreed_;
  double wall_s_ = 0;              // of all steps
  std::vector<double> reference_;  // empty where nothing is seen from it
  AlphaBetaMeter seen_;
};

}  // namespace

std::unique_ptr<ConvexDriver> MakeConvexRounds(const ConvexContext& context) {
  return std::make_unique<ConvexRounds>(context);
}

}  // namespace gradwire::train
