// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <deque>
#include <map>

#include "base/timeout.h"
#include "collective/thread_collective.h"
#include "driver/async.h"
#include "driver/simulated_clock.h"
#include "estimate/convex_worker.h"
#include "train/config/async_rules.h"
#include "train/config/lr_schedule.h"
#include "train/convex/convex_parts.h"
#include "train/convex/convex_saves.h"
#include "train/report/clock.h"
#include "train/report/convex_records.h"
#include "train/report/report.h"

namespace gradwire::train {
namespace {

constexpr uint64_t kToken = 0x6173796e63;  // both ends of every link are in this process

DelayModel DelaysOf(const AsyncRunConfig& config, size_t workers) {
  using Kind = DelayModel::Kind;
  static const std::map<std::string, Kind> kinds = {{"none", Kind::kNone},
                                                    {"fixed", Kind::kFixed},
                                                    {"poisson", Kind::kPoisson},
                                                    {"normal", Kind::kNormal},
                                                    {"uniform", Kind::kUniform}};
  DelayModel delays{kinds.at(config.delay), {}};
  for (size_t i = 0; i < workers; ++i) delays.speed.push_back(config.speeds[i % config.speeds.size()]);
  return delays;
}

class AsyncRun {
 public:
  AsyncRun(const Config& config, const ConvexSetup& setup)
      : config_(config),
        problem_(*setup.problem),
        parts_{PartsOf(config, setup).exchange, DownPartsOf(config)},
        clock_(DelaysOf(config.async, problem_.workers.size()), config.run.seed),
        exact_(std::move(MakeThreadCollectives(1, Milliseconds(config.comm.timeout_s))[0])),
        stop_(StopOf(config)),
        epoch_(StepsPerEpoch(PartsOf(config, setup).estimator, problem_) *
               static_cast<int64_t>(problem_.workers.size())),
        schedule_(ScheduleOf(config, config.optimizer.lr)),
        saves_(config, problem_, *exact_, notes_, epoch_, stop_.get()),
        report_(ReportOf(config, 0, saves_.OwnStep())),
        model_(setup.problem, 0),
        server_(model_, parts_, RulesOf(config.async), config.run.seed, kToken) {
    const EstimatorConfig estimator = PartsOf(config, setup).estimator;
    for (uint32_t i = 0; i < problem_.workers.size(); ++i) {
      auto own = Placed(config, [&] { return MakeEstimator(estimator, setup.problem, i, config.run.seed); });
      objectives_.emplace_back(setup.problem, i, std::move(own));
      workers_.emplace_back(objectives_.back(), parts_, i, kToken);
    }
  }

  /// The exit code.
  int Run() {
    if (config_.comm.noise > 0) report_.Say(std::string(kNoiseNotice));
    step_ = saves_.GoOn(*this, report_);
    server_.SetLr(last_lr_ = Lr());
    if (step_ == 0) {
      for (uint32_t i = 0; i < workers_.size(); ++i) Begin(server_.Join(i));
      Log();
    }
    bool finite = true;
    while (finite && step_ < config_.train.steps) {
      const double begin = Now();
      server_.SetLr(last_lr_ = Lr());
      const AsyncJob job = clock_.Finish();
      Begin(server_.Apply(job.worker, workers_[job.worker].Compute(job.model, job.lr)));
      wall_s_ += Now() - begin;
      ++step_;
      finite = std::ranges::all_of(model_.x(), [](double v) { return std::isfinite(v); });
      if (finite && (step_ % config_.log.every_steps == 0 || step_ == config_.train.steps)) Log();
      if (finite)
        if (const int code = saves_.After(step_, true, *this, report_)) return code;
    }
    report_.Write(FinalOf(Measure(), !finite, config_));
    return 0;
  }

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(server_, model_, clock_, wall_s_);
    for (ConvexWorker& objective : objectives_) archive(objective);
    for (AsyncWorker<double>& worker : workers_) archive(worker);
  }

 private:
  void Begin(std::vector<AsyncJob> jobs) {
    for (AsyncJob& job : jobs) clock_.Begin(std::move(job));
  }

  /// Of the next step.
  double Lr() const { return LearningRate(schedule_, step_, epoch_, config_.train.steps); }

  void Log() { report_.Write(IntervalOf(Measure(), config_)); }

  ConvexState Measure() const {
    ConvexState r;
    r.step = step_, r.lr = last_lr_, r.wall_s = wall_s_, r.clock = clock_.now(), r.stats = server_.stats();
    const ExchangeStats& first = workers_[0].stats();
    r.bits_up = 8 * first.bytes_sent(), r.bits_payload = 8 * first.payload_bytes;
    r.bits_down = 8 * static_cast<double>(server_.stats().bytes_down) / static_cast<double>(workers_.size());
    r.passes = objectives_[0].passes();
    const std::span<const double> x = model_.x();
    r.f = problem_.Value(x);
    for (const double g : problem_.Gradient(x)) r.grad_norm += g * g;
    r.grad_norm = std::sqrt(r.grad_norm);
    if (problem_.minimiser) r.f_gap = r.f - problem_.minimiser->value, r.dist = problem_.Distance(x);
    return r;
  }

  const Config& config_;
  const Problem& problem_;
  const AsyncParts parts_;
  SimulatedClock clock_;
  ProcessNotes notes_;
  const std::unique_ptr<Collective> exact_;  // of one rank: the clock's thread
  const std::unique_ptr<StopSignal> stop_;
  const int64_t epoch_;  // steps
  const LrSchedule schedule_;
  ConvexSaves saves_;
  Report report_;
  ConvexWorker model_;  // the server's
  AsyncServer<double> server_;
  std::deque<ConvexWorker> objectives_;
  std::deque<AsyncWorker<double>> workers_;
  int64_t step_ = 0;
  double last_lr_ = 0;  // of the last step, at first of the next one
  double wall_s_ = 0;
};

}  // namespace

int RunConvexAsync(const Config& config) {
  const ConvexSetup setup = PrepareConvex(config, static_cast<size_t>(config.run.nproc));
  return AsyncRun(config, setup).Run();
}

}  // namespace gradwire::train
