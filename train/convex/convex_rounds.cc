// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "driver/delayed.h"
#include "driver/model_round.h"
#include "estimate/convex_worker.h"
#include "exchange/saved_memory.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "train/checkpoint/archive.h"
#include "train/checkpoint/memory_files.h"
#include "train/config/modes.h"
#include "train/convex/convex_driver.h"
#include "train/report/clock.h"

namespace gradwire::train {
namespace {

constexpr size_t kOneBucket = ~size_t{0};

class ConvexRounds final : public ConvexDriver {
 public:
  explicit ConvexRounds(const ConvexContext& context)
      : context_(context),
        rank_(static_cast<uint32_t>(context.collective.rank())),
        worker_(context.setup.problem, rank_, Placed(context.config, [&] { return OwnEstimator(); })),
        exchange_(context.collective, worker_.parameters(), context.parts.exchange),
        sink_(exchange_),
        delayed_(worker_, context.config.train.delay),
        rounds_(delayed_, sink_, LocalOf(context.config), context.config.run.seed, rank_, kOneBucket,
                [this] { exchange_.ForgetMemory(); }),
        agreed_(worker_.x()) {
    for (const uint32_t channel : ChannelsOf(LocalOf(context.config))) exchange_.Open(channel);
  }

  bool Step(const Round& round) override {
    const double begin = Now();
    const bool agreed = rounds_.Step(round);
    if (agreed) agreed_ = worker_.x();
    wall_s_ += Now() - begin;
    return agreed;
  }

  bool is_finite() const override {
    return std::ranges::all_of(worker_.x(), [](double v) { return std::isfinite(v); });
  }

  void Save(Snapshot& file) override {
    PutState(file, kConvexState, *this);
    PutOpenings(file, exchange_);
  }
  void Load(const train::Save& save) override {
    GetState(save.files[0], kConvexState, *this);
    LoadOpenings(save, exchange_);
  }

  template <typename Archive>
  void serialize(Archive& archive) {
    auto rounds = rounds_.Save();
    auto memory = SaveMemory(exchange_);
    ExchangeStats stats = Stats();
    archive(worker_, delayed_, rounds, memory, stats, agreed_, wall_s_);
    if constexpr (Archive::is_loading::value) {
      rounds_.Load(std::move(rounds));
      LoadMemory(exchange_, memory);
      before_ = stats;
    }
  }

  std::span<const double> agreed() const override { return agreed_; }

  void Describe(ConvexState& state) override {
    const ExchangeStats stats = Stats();
    double sent = 8 * static_cast<double>(stats.bytes_sent());
    Collective& collective = context_.collective;
    collective.Finish(collective.StartAllReduce(std::span(&sent, 1)));
    state.wall_s = wall_s_;
    state.bits_up = 8 * stats.bytes_sent(), state.bits_payload = 8 * stats.payload_bytes;
    state.bits_down = sent / collective.size();
    state.passes = worker_.passes();
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
    const ExchangeParts usual = MakeParts(CommOf(config), config.run.seed);
    AddCoefficients("up", context_.parts.exchange.link, usual.link, lines);
    AddCoefficients("back", context_.parts.exchange.down, usual.down, lines);
    return lines;
  }

 private:
  std::unique_ptr<Estimator> OwnEstimator() const {
    return MakeEstimator(context_.parts.estimator, context_.setup.problem, rank_, context_.config.run.seed);
  }

  ExchangeStats Stats() const {
    ExchangeStats stats = before_;
    return stats += exchange_.stats();
  }

  /// Those that are not what the method says by itself.
  static void AddCoefficients(const char* way, const Link& here, const Link& usual, std::vector<std::string>& lines) {
    if (here.numbers() != usual.numbers())
      lines.push_back(fmt::format("the problem sets the coefficients of the way {}: {}", way, here.numbers()));
  }

  const ConvexContext context_;
  const uint32_t rank_;
  ConvexWorker worker_;
  Exchange<double> exchange_;
  DirectSink<double> sink_;
  Delayed<double> delayed_;
  ModelRounds<double> rounds_;
  std::vector<double> agreed_;
  double wall_s_ = 0;     // of all steps
  ExchangeStats before_;  // of the save that the run went on from
};

}  // namespace

std::unique_ptr<ConvexDriver> MakeConvexRounds(const ConvexContext& context) {
  return std::make_unique<ConvexRounds>(context);
}

}  // namespace gradwire::train
