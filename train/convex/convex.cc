// SPDX-License-Identifier: Apache-2.0
#include "train/convex/convex.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include <fmt/format.h>

#include "base/start_thread.h"
#include "base/timeout.h"
#include "collective/thread_collective.h"
#include "driver/delayed.h"
#include "driver/model_round.h"
#include "estimate/convex_worker.h"
#include "exchange/saved_memory.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "train/config/lr_schedule.h"
#include "train/convex/convex_parts.h"
#include "train/convex/convex_saves.h"
#include "train/report/clock.h"
#include "train/report/convex_records.h"
#include "train/report/report.h"

namespace gradwire::train {
namespace {

constexpr size_t kOneBucket = ~size_t{0};

/// One rank's run.
class ConvexRun {
 public:
  ConvexRun(const Config& config, const ConvexSetup& setup, Collective& collective, Notes& notes,
            const StopSignal* stop)
      : config_(config),
        setup_(setup),
        collective_(collective),
        parts_(PartsOf(config, setup)),
        lr_(StepSizeOf(config, setup, parts_)),
        schedule_(ScheduleOf(config, lr_)),
        worker_(setup.problem, static_cast<size_t>(collective.rank()),
                Placed(config,
                       [&] {
                         return MakeEstimator(parts_.estimator, setup.problem, static_cast<size_t>(collective.rank()),
                                              config.run.seed);
                       })),
        exchange_(collective, worker_.parameters(), parts_.exchange),
        sink_(exchange_),
        delayed_(worker_, config.train.delay),
        rounds_(delayed_, sink_, config.train.mode == "local" ? config.local : LocalConfig{.sync_every = 1},
                config.run.seed, static_cast<uint32_t>(collective.rank()), kOneBucket,
                [this] { exchange_.ForgetMemory(); }),
        saves_(config, *setup.problem, collective, notes, StepsPerEpoch(parts_.estimator, *setup.problem), stop),
        report_(ReportOf(config, collective.rank(), saves_.OwnStep())),
        agreed_(worker_.x()) {}

  /// The exit code.
  int Run() {
    Introduce();
    step_ = saves_.GoOn(*this, report_);
    if (step_ > 0) exchange_.GoOnAt(static_cast<uint64_t>(step_));
    last_lr_ = Lr();
    if (step_ == 0) Log();
    bool finite = true;
    while (finite && step_ < config_.train.steps) {
      const double begin = Now();
      last_lr_ = Lr();
      const bool agreed = rounds_.Step({static_cast<uint64_t>(step_), last_lr_});
      if (agreed) agreed_ = worker_.x();
      wall_s_ += Now() - begin;
      ++step_;
      finite = std::all_of(worker_.x().begin(), worker_.x().end(), [](double v) { return std::isfinite(v); });
      if (finite && (step_ % config_.log.every_steps == 0 || step_ == config_.train.steps)) Log();
      if (finite)
        if (const int code = saves_.After(step_, agreed, *this, report_)) return code;
    }
    report_.Write(FinalOf(Measure(), !finite, config_));
    return 0;
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

 private:
  void Introduce() {
    if (!report_.is_heard()) return;
    const Problem& p = *setup_.problem;
    report_.Say(fmt::format("{} {}: {} workers, d = {}, L = {:.6g}, max L_i = {:.6g}, max L_il = {:.6g}, mu = {:.6g}",
                            config_.objective.name, config_.objective.data, p.workers.size(), p.dimension(),
                            p.smoothness, p.max_worker_smoothness(), p.max_sample_smoothness, p.strong_convexity));
    report_.Say(fmt::format("method {}, compressor {}, estimator {}; {} rounds with step size {:.6g}{}",
                            config_.comm.method, config_.comm.compressor, parts_.estimator.name, config_.train.steps,
                            lr_, config_.optimizer.lr.is_theory ? " by theory" : ""));
    SayCoefficients();
    if (config_.comm.noise > 0) report_.Say(std::string(kNoiseNotice));
  }

  /// Those that are not what the method says by itself.
  void SayCoefficients() {
    const ExchangeParts usual = MakeParts(CommOf(config_), config_.run.seed);
    const auto say = [&](const char* way, const Link& here, const Link& there) {
      if (here.numbers() != there.numbers())
        report_.Say(fmt::format("the problem sets the coefficients of the way {}: {}", way, here.numbers()));
    };
    say("up", parts_.exchange.link, usual.link);
    say("back", parts_.exchange.down, usual.down);
  }

  /// Of the next step.
  double Lr() const {
    return LearningRate(schedule_, step_, StepsPerEpoch(parts_.estimator, *setup_.problem), config_.train.steps);
  }

  ExchangeStats Stats() const {
    ExchangeStats stats = before_;
    return stats += exchange_.stats();
  }

  void Log() { report_.Write(IntervalOf(Measure(), config_)); }

  ConvexState Measure() {
    const ExchangeStats stats = Stats();
    double sent = 8 * static_cast<double>(stats.bytes_sent());
    collective_.Finish(collective_.StartAllReduce(std::span(&sent, 1)));
    ConvexState r;
    r.step = step_, r.lr = last_lr_, r.wall_s = wall_s_;
    r.bits_up = 8 * stats.bytes_sent(), r.bits_payload = 8 * stats.payload_bytes;
    r.bits_down = sent / collective_.size();
    r.passes = worker_.passes();
    if (report_.is_heard()) Evaluate(r);  // the other ranks wait in their next exchange
    return r;
  }

  void Evaluate(ConvexState& r) const {
    const Problem& problem = *setup_.problem;
    const std::vector<double>& x = agreed_;
    r.f = problem.Value(x) + setup_.prox.Value(x);
    r.grad_norm = GradientNorm();
    if (!problem.minimiser) return;
    r.f_gap = r.f - problem.minimiser->value;
    r.dist = problem.Distance(x);
  }

  /// The length of the step that the method would make with exact gradients, over lr.
  double GradientNorm() const {
    const std::vector<double>& x = agreed_;
    std::vector<double> gradient = setup_.problem->Gradient(x);
    if (setup_.prox) {
      const double lr = lr_ > 0 ? lr_ : 1 / setup_.problem->smoothness;  // any one is 0 at the minimum alone
      std::vector<double> next = x;
      for (size_t j = 0; j < x.size(); ++j) next[j] -= lr * gradient[j];
      setup_.prox.Apply<double>(lr, next);
      for (size_t j = 0; j < x.size(); ++j) gradient[j] = (x[j] - next[j]) / lr;
    }
    double square = 0;
    for (const double value : gradient) square += value * value;
    return std::sqrt(square);
  }

  const Config& config_;
  const ConvexSetup& setup_;
  Collective& collective_;
  const ConvexParts parts_;
  const double lr_;
  const LrSchedule schedule_;
  ConvexWorker worker_;
  Exchange<double> exchange_;
  DirectSink<double> sink_;
  Delayed<double> delayed_;
  ModelRounds<double> rounds_;
  ConvexSaves saves_;
  Report report_;

  std::vector<double> agreed_;  // the point that all workers held last
  int64_t step_ = 0;
  double last_lr_ = 0;  // of the last step, at first of the next one
  double wall_s_ = 0;
  ExchangeStats before_;  // the save that the run went on from
};

/// The first failure that is a cause and not the echo of another rank's; null where there is none.
std::exception_ptr Cause(const std::vector<std::exception_ptr>& failures) {
  std::exception_ptr echo;
  for (const std::exception_ptr& failure : failures) {
    if (!failure) continue;
    try {
      std::rethrow_exception(failure);
    } catch (const PeerError&) {
      if (!echo) echo = failure;
    } catch (...) {
      return failure;
    }
  }
  return echo;
}

}  // namespace

std::unique_ptr<StopSignal> StopOf(const Config& config) {
  return config.checkpoint.is_on() ? std::make_unique<StopSignal>() : nullptr;
}

int RunConvexRank(const Config& config, const ConvexSetup& setup, Collective& collective, Notes& notes,
                  const StopSignal* stop) {
  return ConvexRun(config, setup, collective, notes, stop).Run();
}

int RunConvexThreads(const Config& config) {
  if (config.train.mode == "async") return RunConvexAsync(config);
  const auto n = static_cast<size_t>(config.run.nproc);
  const ConvexSetup setup = PrepareConvex(config, n);
  auto collectives = MakeThreadCollectives(static_cast<int>(n), Milliseconds(config.comm.timeout_s));
  ProcessNotes notes;
  const std::unique_ptr<StopSignal> stop = StopOf(config);
  std::vector<std::exception_ptr> failures(n);
  std::vector<int> codes(n);
  std::vector<std::thread> threads;
  const auto run = [&](size_t rank) {
    const std::unique_ptr<Collective> mine =
        std::move(collectives[rank]);  // closed with the thread, so that others end
    try {
      codes[rank] = RunConvexRank(config, setup, *mine, notes, stop.get());
    } catch (...) {
      failures[rank] = std::current_exception();
    }
  };
  for (size_t rank = 0; rank < n; ++rank) {
    try {
      threads.push_back(StartThread("for rank " + std::to_string(rank), [&run, rank] { run(rank); }));
    } catch (const Error&) {
      failures[rank] = std::current_exception();
      collectives[rank].reset();  // so that those that have started end
    }
  }
  for (std::thread& thread : threads) thread.join();
  if (const std::exception_ptr cause = Cause(failures)) std::rethrow_exception(cause);
  return codes[0];
}

}  // namespace gradwire::train
