// SPDX-License-Identifier: Apache-2.0
#include "train/trainer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <optional>

#include "c10d/init.h"
#include "gradwire/cost.h"
#include "gradwire/delayed.h"
#include "gradwire/method.h"
#include "gradwire/model_round.h"
#include "gradwire/timeout.h"
#include "train/async_rounds.h"
#include "train/async_rules.h"
#include "train/async_worker_run.h"
#include "train/at_model.h"
#include "train/batches.h"
#include "train/checkpoints.h"
#include "train/introduction.h"
#include "train/lr_schedule.h"
#include "train/meter.h"
#include "train/network.h"
#include "train/report.h"
#include "train/stop_signal.h"
#include "train/train_state.h"
#include "train/weights.h"
#include "train/world.h"

namespace gradwire::train {
namespace {

constexpr size_t kEvalBatch = 250;

/// Batches that batch norm's statistics are measured on before an evaluation of an asynchronous run.
constexpr int64_t kStatisticsBatches = 16;

LrSchedule ScheduleOf(const Config& config) {
  LrSchedule schedule{config.optimizer.lr, LrDecay::kConstant, config.lr_scheduler.milestones,
                      config.lr_scheduler.gamma, config.lr_scheduler.warmup_epochs};
  if (config.lr_scheduler.name == "multistep") schedule.decay = LrDecay::kMultistep;
  if (config.lr_scheduler.name == "cosine") schedule.decay = LrDecay::kCosine;
  return schedule;
}

World WorldOf(const Config& config, const RankEnv& env) {
  return config.train.mode == "async" ? AloneWorld(config.comm.timeout_s) : JoinWorld(env, config.comm.timeout_s);
}

/// One rank's run. The steps of its life are its public members, in order.
class Trainer {
 public:
  Trainer(const Config& config, const RankEnv& env)
      : config_(config),
        env_(env),
        network_config_(config.train.mode == "async" ? OnOneRank(config) : config),
        world_(WorldOf(config, env)),
        notes_(world_),
        checkpoints_(config, *world_.exact, notes_),
        report_(env.rank == 0 ? std::make_unique<Report>(config, checkpoints_.OwnStep()) : nullptr),
        batches_(config, world_.env),
        network_(network_config_, world_),
        delayed_(network_, config.train.delay),
        rounds_(delayed_, *network_.ddp().exchange(), LocalOf(config), config.run.seed, static_cast<uint32_t>(env.rank),
                static_cast<size_t>(config.comm.bucket_cap_mb * (1 << 20)), [this] { ForgetMemory(); }),
        schedule_(ScheduleOf(config)),
        steps_per_epoch_(batches_.per_epoch()),
        total_steps_(config.train.steps > 0 ? config.train.steps : config.train.epochs * steps_per_epoch_) {}

  /// The exit code.
  int Run() {
    Introduce();
    BeginSteps();
    // Until here a signal ends the run at once; from here on no rank waits for another one without seeing its end.
    const auto stop = config_.checkpoint.is_on() ? std::make_unique<StopSignal>() : nullptr;
    while (step_ < total_steps_) {
      const bool is_point = OneStep();
      ++step_;
      if (step_ % config_.log.every_steps == 0 || step_ == total_steps_) LogInterval();
      const bool epoch_ends = step_ % steps_per_epoch_ == 0;
      if (step_ < total_steps_ && epoch_ends && (step_ / steps_per_epoch_) % config_.log.eval_every == 0) {
        const EvalRecord record = Evaluate();
        if (report_) report_->Eval(record);
      }
      const auto due = checkpoints_.After({.is_point = is_point,
                                           .epochs_ended = epoch_ends ? step_ / steps_per_epoch_ : 0,
                                           .is_last = step_ == total_steps_,
                                           .signal = stop ? stop->received() : 0});
      if (due.save) SaveRun(due.signal);
      if (due.signal != 0) return End(128 + due.signal);
    }
    rounds_.Agree({static_cast<uint64_t>(total_steps_), lr_});
    const EvalRecord record = Evaluate();
    if (report_) {
      report_->Eval(record);
      SaveStateDict(network_.ddp().module(), report_->directory() + "/model.pt");
      report_->Final(record);
    }
    return End(0);
  }

 private:
  void Introduce() {
    if (!report_) return;
    for (const std::string& line :
         Introduction(config_, batches_.data(), world_.places, network_.parameters(), total_steps_))
      report_->Say(line);
  }

  /// The run from its beginning, or from a save, to where steps are made.
  void BeginSteps() {
    meter_.Begin(0);
    const bool serves = config_.train.mode == "async";
    if (serves || checkpoints_.beginning().save) {  // a server's gradients need a place, a save's buckets their order
      SetBatch();
      network_.SettleBuckets();
    }
    if (serves) Serve();
    GoOn();
    if (async_) async_->Begin(LearningRate(schedule_, step_, steps_per_epoch_, total_steps_));
    meter_.BeginInterval();
  }

  /// From here on workers may come.
  void Serve() {
    const Membership member = ReachJob(env_, Milliseconds(config_.comm.timeout_s));
    const bool is_torchruns = std::getenv("TORCHELASTIC_RESTART_COUNT") != nullptr;  // it ends all when one ends
    report_->Say("server at " + member.address +
                 (is_torchruns ? ""
                               : "; a worker joins by the same command with --join " + env_.master_addr + ":" +
                                     std::to_string(env_.master_port)));
    async_ = std::make_unique<AsyncRounds>(config_, member, MeetingText(config_, batches_.data()), network_,
                                           [this](const std::string& text) { report_->Say(text); });
    if (config_.async.server == "shared") own_worker_ = std::make_unique<OwnWorker>(config_, env_, member);
  }

  int End(int exit_code) {
    async_.reset();
    own_worker_.reset();
    network_.ddp().Close();
    Leave(world_);
    return exit_code;
  }

  /// From the save that the ranks chose, if any.
  void GoOn() {
    Beginning& beginning = checkpoints_.beginning();
    if (report_)
      for (const std::string& note : beginning.notes) report_->Say(note);
    if (!beginning.save) return;
    const Save save = *std::exchange(beginning.save, std::nullopt);
    step_ = static_cast<int64_t>(save.step);
    CheckLength(config_, save, total_steps_);
    const ExchangeParts parts = MakeParts(network_config_.comm, config_.run.seed);
    const Progress progress =
        UnpackState(save, parts, world_, network_, delayed_, rounds_, batches_.data().train.size());
    if (async_) async_->Load(save.files[0]);
    meter_.GoOn(step_, progress, Look());
    network_.SetTally(progress.tally);
    if (report_) report_->Say(GoesOnText(save));
    if (step_ == total_steps_ && config_.checkpoint.saves() && (save.other_world || !save.is_own)) SaveRun(0);
  }

  void SaveRun(int signal) {
    const Meter::Pause pause(meter_);
    const Progress progress = meter_.At(Look(), network_.tally());
    Snapshot file =
        PackState(network_, delayed_, rounds_, *network_.ddp().exchange(), progress, batches_.data().train.size());
    if (async_) async_->Save(file);
    const std::string folder = checkpoints_.Write(static_cast<uint64_t>(step_), file);
    if (!report_) return;
    report_->Say(SavedText(step_, folder));
    if (signal != 0) report_->Say(StoppedText(signal, step_, total_steps_));
  }

  void SetBatch() {
    Batch batch = batches_.Train(step_);
    network_.SetBatch(std::move(batch.images), std::move(batch.labels));
  }

  /// Whether all ranks took part in an exchange at its end.
  bool OneStep() {
    if (async_) return StepOfServer();
    SetBatch();
    lr_ = LearningRate(schedule_, step_, steps_per_epoch_, total_steps_);
    const bool is_local = config_.train.mode == "local" && step_ >= config_.local.start_iter;
    const bool is_point = rounds_.Step({static_cast<uint64_t>(step_), lr_});
    if (is_point && is_local) network_.ddp().AverageBuffers(*world_.exact);
    if (!std::isfinite(network_.last_loss()))
      throw Error("step " + std::to_string(step_) + ": the loss is " + std::to_string(network_.last_loss()) +
                  " on rank " + std::to_string(world_.env.rank) +
                  "; lower optimizer.lr or add lr_scheduler.warmup_epochs");
    return is_point;
  }

  /// Saves what there is where no worker is left.
  bool StepOfServer() {
    lr_ = LearningRate(schedule_, step_, steps_per_epoch_, total_steps_);
    try {
      async_->Step(lr_);
    } catch (const NoWorkers&) {
      if (config_.checkpoint.saves()) SaveRun(0);
      throw;
    }
    network_.AddTally(async_->TakeTally());
    return true;
  }

  static LocalConfig LocalOf(const Config& config) {
    return config.train.mode == "local" ? config.local : LocalConfig{.sync_every = 1};
  }

  /// Post-local SGD: what is exchanged from now on are differences of models.
  void ForgetMemory() {
    network_.ddp().exchange()->Inspect([](Exchange<float>& exchange) { exchange.ForgetMemory(); });
  }

  /// Sums over all ranks.
  Tally Sum(const Tally& mine) {
    std::array<double, 3> sums{mine.loss, mine.correct, mine.images};
    world_.exact->Finish(world_.exact->StartAllReduce(std::span<double>(sums)));
    return {sums[0], sums[1], sums[2]};
  }

  Effort Look() {
    Effort seen;
    if (async_) {
      const JobTotals& jobs = async_->totals();
      seen.stats = {0, async_->stats().bytes_up, jobs.encode_s, jobs.wait_s, async_->stats().decode_s};
      seen.residual_norm = async_->ResidualNorm(), seen.compute_s = jobs.compute_s;
      return seen;
    }
    network_.ddp().exchange()->Inspect([&](Exchange<float>& exchange) {
      seen.stats = exchange.stats(), seen.residual_norm = std::sqrt(exchange.state().SquaredNorm("e"));
    });
    seen.exposed_s = network_.ddp().exposed_s();
    return seen;
  }

  /// What float32 would send in a step: a ring all-reduce, or a worker.
  uint64_t DenseBytes() const {
    if (!async_) return DenseRingBytes(network_.parameters(), world_.env.world_size);
    return sizeof(float) * Numel(network_.parameters());
  }

  Meter::Step Here() const {
    return {step_,
            total_steps_,
            steps_per_epoch_,
            lr_,
            async_ ? static_cast<int>(async_->workers()) : world_.env.world_size,
            DenseBytes()};
  }

  void LogInterval() {
    const Tally tally = Sum(network_.TakeTally());
    IntervalRecord record = meter_.Interval(Here(), tally, Look());
    if (async_) record.stats = async_->stats();
    if (report_) report_->Interval(record);
  }

  /// On the test set, shared among the ranks, with batch norm's statistics averaged over them.
  EvalRecord Evaluate() {
    const Meter::Pause pause(meter_);
    const AtModel at_agreed(network_.Point(), rounds_.agreed());
    if (async_) MeasureStatistics();
    network_.ddp().AverageBuffers(*world_.exact);
    Tally tally;
    for (size_t at = 0; at < batches_.test_size(); at += kEvalBatch) {
      const Batch batch = batches_.Test(at, std::min(kEvalBatch, batches_.test_size() - at));
      network_.Evaluate(batch.images, batch.labels, tally);
    }
    return meter_.Eval(Here(), Sum(tally));
  }

  void MeasureStatistics() {
    std::vector<at::Tensor> batches;
    for (int64_t i = 0; i < std::min(kStatisticsBatches, steps_per_epoch_); ++i)
      batches.push_back(batches_.Train(i).images);
    network_.MeasureStatistics(batches);
  }

  const Config& config_;
  const RankEnv env_;
  const Config network_config_;
  World world_;
  StoreNotes notes_;
  Checkpoints checkpoints_;
  std::unique_ptr<Report> report_;  // rank 0's
  Batches batches_;
  Network network_;
  Delayed<float> delayed_;
  ModelRounds<float> rounds_;
  std::unique_ptr<OwnWorker> own_worker_;  // of a server that is a worker as well
  std::unique_ptr<AsyncRounds> async_;     // a server's
  LrSchedule schedule_;
  int64_t steps_per_epoch_, total_steps_;

  Meter meter_;
  int64_t step_ = 0;
  double lr_ = 0;
};

}  // namespace

int TrainAsRank(const Config& config, const RankEnv& env) {
  if (config.train.mode == "async" && env.rank != 0) return RunAsyncWorker(config, env);
  return Trainer(config, env).Run();
}

}  // namespace gradwire::train
