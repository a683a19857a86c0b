// SPDX-License-Identifier: Apache-2.0
#include "train/run/trainer.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "exchange/agree.h"
#include "train/async/async_worker_run.h"
#include "train/async/no_workers.h"
#include "train/checkpoint/checkpoints.h"
#include "train/checkpoint/progress.h"
#include "train/config/async_rules.h"
#include "train/config/lr_schedule.h"
#include "train/config/settings.h"
#include "train/join/async_meeting.h"
#include "train/launch/stop_signal.h"
#include "train/models/weights.h"
#include "train/network/at_model.h"
#include "train/report/introduction.h"
#include "train/report/network_records.h"
#include "train/report/report.h"
#include "train/run/steps.h"

namespace gradwire::train {
namespace {

constexpr size_t kEvalBatch = 250;

World WorldOf(const Config& config, const RankEnv& env) {
  const bool is_async = config.train.mode == "async";
  return (is_async ? ServerWorld : JoinWorld)(env, config.comm.timeout_s, RankSettingsText(config));
}

/// Throws ConfigError where the ranks' images are not the same: their folders may be different ones.
Batches LoadBatches(const Config& config, const World& world) {
  Batches batches(config, world.env);
  Agree(*world.exact, DataText(batches.data()));
  return batches;
}

/// One rank's run.
class Trainer {
 public:
  Trainer(const Config& config, const RankEnv& env)
      : config_(config),
        env_(env),
        network_config_(config.train.mode == "async" ? OnOneRank(config) : config),
        world_(WorldOf(config, env)),
        notes_(world_),
        checkpoints_(config, *world_.exact, notes_),
        batches_(LoadBatches(config, world_)),
        network_(network_config_, world_),
        report_(ReportOf(config, env.rank, checkpoints_.OwnStep())),
        records_(config, batches_.data().name),
        schedule_(ScheduleOf(config, config.optimizer.lr)),
        steps_per_epoch_(batches_.per_epoch()),
        total_steps_(config.train.steps > 0 ? config.train.steps : config.train.epochs * steps_per_epoch_) {}

  /// The exit code.
  int Run() {
    Introduce();
    meter_.Begin(0);
    const StepsOf of{config_, env_, world_, network_, batches_};
    const auto say = [this](const std::string& text) { report_.Say(text); };
    steps_ = config_.train.mode == "async" ? MakeServerSteps(of, say) : MakeRoundSteps(of);
    GoOn();
    steps_->Begin(LearningRateAt(step_));
    meter_.BeginInterval();
    // Until here a signal ends the run at once; from here on no rank waits for another one without seeing its end.
    const auto stop = config_.checkpoint.is_on() ? std::make_unique<StopSignal>() : nullptr;
    while (step_ < total_steps_)
      if (const int signal = OneStep(stop.get())) return End(128 + signal);
    steps_->End(total_steps_, lr_);
    Finish();
    return End(0);
  }

 private:
  void Introduce() {
    if (!report_.is_heard()) return;
    for (const std::string& line :
         Introduction(config_, batches_.data(), world_.places, network_.parameters(), total_steps_))
      report_.Say(line);
  }

  double LearningRateAt(int64_t step) const { return LearningRate(schedule_, step, steps_per_epoch_, total_steps_); }
  uint64_t images() const { return batches_.data().train.size(); }

  /// From the save that the ranks chose, if any.
  void GoOn() {
    Beginning& beginning = checkpoints_.beginning();
    for (const std::string& note : beginning.notes) report_.Say(note);
    if (!beginning.save) return;
    const Save save = *std::exchange(beginning.save, std::nullopt);
    CheckLength(config_, save, total_steps_);
    step_ = static_cast<int64_t>(save.step);
    const Progress progress = ProgressIn(save, world_.env.rank, images());
    steps_->Load(save);
    meter_.GoOn(step_, progress, steps_->Look());
    network_.SetTally(progress.tally);
    report_.Say(GoesOnText(save));
    if (step_ == total_steps_ && config_.checkpoint.saves() && (save.other_world || !save.is_own)) SaveRun(0);
  }

  void SaveRun(int signal) {
    const Meter::Pause pause(meter_);
    const Progress progress = meter_.At(steps_->Look(), network_.tally());
    Snapshot file;
    steps_->Save(file);
    PutProgress(file, progress, images());
    const std::string folder = checkpoints_.Write(static_cast<uint64_t>(step_), file);
    report_.Say(SavedText(step_, folder));
    if (signal != 0) report_.Say(StoppedText(signal, step_, total_steps_));
  }

  /// And the records and saves that are due after it. The signal that stops the run, or 0.
  int OneStep(const StopSignal* stop) {
    const bool is_point = MakeStep();
    ++step_;
    if (step_ % config_.log.every_steps == 0 || step_ == total_steps_) LogInterval();
    const bool epoch_ends = step_ % steps_per_epoch_ == 0;
    if (step_ < total_steps_ && epoch_ends && (step_ / steps_per_epoch_) % config_.log.eval_every == 0) {
      report_.Write(records_.Evaluation(Evaluate()));
    }
    const auto due = checkpoints_.After({.is_point = is_point,
                                         .epochs_ended = epoch_ends ? step_ / steps_per_epoch_ : 0,
                                         .is_last = step_ == total_steps_,
                                         .signal = stop ? stop->received() : 0});
    if (due.save) SaveRun(due.signal);
    return due.signal;
  }

  /// Saves what there is where no worker is left.
  bool MakeStep() {
    lr_ = LearningRateAt(step_);
    try {
      return steps_->Make(step_, lr_);
    } catch (const NoWorkers&) {
      if (config_.checkpoint.saves()) SaveRun(0);
      throw;
    }
  }

  void Finish() {
    const NetworkEvaluation evaluation = Evaluate();
    report_.Write(records_.Evaluation(evaluation));
    if (report_.is_heard()) SaveStateDict(network_.ddp().module(), config_.run.output_dir + "/model.pt");
    report_.Write(records_.Final(evaluation));
  }

  int End(int exit_code) {
    steps_.reset();
    network_.ddp().Close();
    Leave(world_);
    return exit_code;
  }

  /// Sums over all ranks.
  Tally Sum(const Tally& mine) {
    std::array<double, 3> sums{mine.loss, mine.correct, mine.images};
    world_.exact->Finish(world_.exact->StartAllReduce(std::span<double>(sums)));
    return {sums[0], sums[1], sums[2]};
  }

  Meter::Step Here() const {
    return {step_, total_steps_, steps_per_epoch_, lr_, steps_->workers(), steps_->dense_bytes()};
  }

  void LogInterval() {
    const Tally tally = Sum(network_.TakeTally());
    NetworkInterval record = meter_.Interval(Here(), tally, steps_->Look());
    record.stats = steps_->stats();
    report_.Write(records_.Interval(record));
  }

  /// On the test set, shared among the ranks, with batch norm's statistics averaged over them.
  NetworkEvaluation Evaluate() {
    const Meter::Pause pause(meter_);
    const AtModel at_agreed(network_.Point(), steps_->PrepareEvaluation());
    network_.ddp().AverageBuffers(*world_.exact);
    Tally tally;
    for (size_t at = 0; at < batches_.test_size(); at += kEvalBatch) {
      const Batch batch = batches_.Test(at, std::min(kEvalBatch, batches_.test_size() - at));
      network_.Evaluate(batch.images, batch.labels, tally);
    }
    return meter_.Evaluation(Here(), Sum(tally));
  }

  const Config& config_;
  const RankEnv env_;
  const Config network_config_;
  World world_;
  StoreNotes notes_;
  Checkpoints checkpoints_;
  Batches batches_;
  Network network_;
  Report report_;  // after what may fail, since it begins the folder's files anew
  NetworkRecords records_;
  std::unique_ptr<Steps> steps_;
  LrSchedule schedule_;
  int64_t steps_per_epoch_, total_steps_;

  Meter meter_;
  int64_t step_ = 0;
  double lr_ = 0;
};

}  // namespace

int TrainAsRank(const Config& config, const RankEnv& env) {
  if (env.rank >= 0 && config.train.slow_rank >= env.world_size)
    throw ErrorAt(config, "train.slow_rank",
                  "found " + std::to_string(config.train.slow_rank) + ", expected a rank below their number, " +
                      std::to_string(env.world_size));
  if (config.train.mode == "async" && env.rank != 0) return RunAsyncWorker(config, env);
  return Trainer(config, env).Run();
}

}  // namespace gradwire::train
