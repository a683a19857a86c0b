// SPDX-License-Identifier: Apache-2.0
#include "train/trainer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <memory>
#include <optional>

#include "gradwire/cost.h"
#include "gradwire/delayed.h"
#include "gradwire/method.h"
#include "gradwire/model_round.h"
#include "c10d/init.h"
#include "train/async_rounds.h"
#include "train/async_worker_run.h"
#include "train/at_model.h"
#include "train/batches.h"
#include "train/checkpoints.h"
#include "train/lr_schedule.h"
#include "train/network.h"
#include "train/report.h"
#include "train/stop_signal.h"
#include "train/train_state.h"
#include "train/weights.h"
#include "train/world.h"

namespace gradwire::train {
namespace {

constexpr size_t kEvalBatch = 250;

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

LrSchedule ScheduleOf(const Config& config) {
  LrSchedule schedule{config.optimizer.lr, LrDecay::kConstant, config.lr_scheduler.milestones,
                      config.lr_scheduler.gamma, config.lr_scheduler.warmup_epochs};
  if (config.lr_scheduler.name == "multistep") schedule.decay = LrDecay::kMultistep;
  if (config.lr_scheduler.name == "cosine") schedule.decay = LrDecay::kCosine;
  return schedule;
}

/// Batches that batch norm's statistics are measured on before an evaluation of an asynchronous run.
constexpr int64_t kStatisticsBatches = 16;

/// What the exchange has done so far, and the norm of its memory; seconds.
struct ExchangeState {
  ExchangeStats stats;
  double residual_norm = 0;
  double compute_s = 0;
};

/// A network that steps by itself, while links of its own carry the gradients.
Config OfNetwork(Config config) {
  if (config.train.mode == "async")
    config.comm = {.method = "none", .compressor = "identity", .timeout_s = config.comm.timeout_s};
  return config;
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
        network_config_(OfNetwork(config)),
        world_(WorldOf(config, env)),
        checkpoints_(config, world_),
        report_(env.rank == 0 ? std::make_unique<Report>(config, OwnStep(checkpoints_.beginning())) : nullptr),
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
    if (config_.train.mode == "async") Serve();
    start_ = interval_start_ = Now();
    GoOn();
    if (async_) async_->Begin(LearningRate(schedule_, step_, steps_per_epoch_, total_steps_));
    interval_start_ = Now();
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
    report_->Say("data: " + batches_.data().description);
    if (config_.train.mode != "async") {
      std::string text = "ranks:";
      for (size_t rank = 0; rank < world_.places.size(); ++rank)
        text += (rank ? ", " : " ") + std::to_string(rank) + " at " + world_.places[rank];
      report_->Say(text);
    }
    int64_t count = 0;
    for (const Parameter& parameter : network_.parameters()) count += static_cast<int64_t>(parameter.numel());
    report_->Say("model: " + config_.model.name + ", " + std::to_string(count) + " parameters; method " +
                 config_.comm.method + ", compressor " + config_.comm.compressor + "; " + std::to_string(total_steps_) +
                 " steps of " + std::to_string(config_.data.batch_size) + " images a rank");
    if (config_.train.mode == "local") report_->Say(Describe(config_.local));
    if (config_.train.mode == "async") return;
    const ExchangeParts parts = MakeParts(config_.comm, config_.run.seed);
    if (const auto warning = CostWarning(parts, network_.parameters(), world_.env.world_size))
      report_->Say("warning: " + *warning);
  }

  /// From here on workers may come.
  void Serve() {
    const auto timeout = std::chrono::milliseconds(static_cast<int64_t>(config_.comm.timeout_s * 1000));
    const Membership member = ReachJob(env_, timeout);
    SetBatch();
    network_.SettleBuckets();  // for gradients to step along
    report_->Say("server at " + member.address + "; a worker joins by the same command with --join " +
                 env_.master_addr + ":" + std::to_string(env_.master_port));
    async_ = std::make_unique<AsyncRounds>(config_, member, network_,
                                           [this](const std::string& text) { report_->Say(text); });
    if (config_.async.server == "shared") own_worker_ = std::make_unique<OwnWorker>(config_, env_);
  }

  int End(int exit_code) {
    async_.reset();
    own_worker_.reset();
    network_.ddp().Close();
    Leave(world_);
    return exit_code;
  }

  static std::optional<int64_t> OwnStep(const Beginning& beginning) {
    if (!beginning.save || !beginning.save->is_own) return std::nullopt;
    return static_cast<int64_t>(beginning.save->step);
  }

  /// From the save that the ranks chose, if any.
  void GoOn() {
    Beginning& beginning = checkpoints_.beginning();
    if (report_)
      for (const std::string& note : beginning.notes) report_->Say(note);
    if (!beginning.save) return;
    const Save save = *std::exchange(beginning.save, std::nullopt);
    step_ = begun_step_ = static_cast<int64_t>(save.step);
    CheckLength(save);
    SetBatch();
    network_.SettleBuckets();
    const ExchangeParts parts = MakeParts(network_config_.comm, config_.run.seed);
    const Progress progress = UnpackState(save, parts, world_, network_, rounds_, batches_.data().train.size());
    if (async_) async_->Load(save.files[0]);
    logged_step_ = progress.logged_step;
    before_ = Look();
    bytes_before_ = progress.bytes_sent - before_.stats.bytes_sent(), logged_bytes_ = progress.logged_bytes;
    network_.SetTally(progress.tally);
    start_ = Now() - progress.wall_s;
    if (report_)
      report_->Say("checkpoint: going on from " + save.folder + ", step " + std::to_string(step_) +
                   (save.other_world ? ", saved by " + std::to_string(save.files.size()) + " ranks" : ""));
    if (step_ == total_steps_ && config_.checkpoint.saves() && (save.other_world || !save.is_own)) SaveRun(0);
    interval_start_ = Now();
  }

  void CheckLength(const Save& save) const {
    if (step_ > total_steps_)
      throw ErrorAt(config_, "checkpoint.resume",
                    save.folder + " is of step " + std::to_string(step_) + ", expected at most the " +
                        std::to_string(total_steps_) + " steps of this run; raise train.epochs or train.steps");
  }

  void SaveRun(int signal) {
    const double begin = Now();
    const Progress progress{logged_step_, bytes_before_ + Look().stats.bytes_sent(), logged_bytes_, begin - start_,
                            network_.tally()};
    Snapshot file = PackState(network_, rounds_, *network_.ddp().exchange(), progress, batches_.data().train.size());
    if (async_) async_->Save(file);
    const std::string folder = checkpoints_.Write(static_cast<uint64_t>(step_), file);
    interval_start_ += Now() - begin;  // a save is no part of an interval's time
    if (!report_) return;
    report_->Say("checkpoint: saved step " + std::to_string(step_) + " in " + folder);
    if (signal != 0)
      report_->Say(std::string("stopped by ") + (signal == SIGINT ? "SIGINT" : "SIGTERM") + " at step " +
                   std::to_string(step_) + " of " + std::to_string(total_steps_) +
                   "; to go on, give the same command with checkpoint.resume=auto");
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
    } catch (const std::exception&) {
      if (config_.checkpoint.saves()) SaveRun(0);
      throw;
    }
    network_.AddTally(async_->TakeTally());
    return true;
  }

  static std::string Describe(const LocalConfig& local) {
    std::string text = "local: an agreement ";
    text += local.random > 0 ? "with probability " + std::to_string(local.random) + " after a step"
                             : "every " + std::to_string(local.sync_every) + " steps";
    if (local.start_iter > 0) text += " from step " + std::to_string(local.start_iter) + " on";
    return text + "; batch norm's statistics are averaged with it";
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

  ExchangeState Look() {
    ExchangeState seen;
    if (async_) {
      const JobTotals& jobs = async_->totals();
      seen.stats = {0, async_->stats().bytes_up, jobs.encode_s, jobs.wait_s, async_->stats().decode_s};
      seen.residual_norm = async_->ResidualNorm(), seen.compute_s = jobs.compute_s;
      return seen;
    }
    network_.ddp().exchange()->Inspect([&](Exchange<float>& exchange) {
      seen = {exchange.stats(), std::sqrt(exchange.state().SquaredNorm("e"))};
    });
    return seen;
  }

  /// What float32 would send in a step: a ring all-reduce, or a worker.
  uint64_t DenseBytes() const {
    if (!async_) return DenseRingBytes(network_.parameters(), world_.env.world_size);
    uint64_t numel = 0;
    for (const Parameter& parameter : network_.parameters()) numel += parameter.numel();
    return 4 * numel;
  }

  void LogInterval() {
    const Tally tally = Sum(network_.TakeTally());
    const ExchangeState now = Look();
    const double exposed = network_.ddp().exposed_s(), wall = Now();
    const auto steps = static_cast<double>(step_ - logged_step_);
    const auto timed = static_cast<double>(step_ - std::max(logged_step_, begun_step_));  // of them, in this process
    IntervalRecord r;
    r.step = step_, r.total_steps = total_steps_, r.steps = step_ - logged_step_;
    r.epoch = static_cast<double>(step_) / static_cast<double>(steps_per_epoch_);
    r.wall_s = wall - start_;
    r.loss = tally.loss / tally.images, r.acc = tally.correct / tally.images;
    r.lr = lr_, r.world_size = async_ ? static_cast<int>(async_->workers()) : world_.env.world_size;
    r.t_step = (wall - interval_start_) / timed;
    r.imgs_per_s = tally.images / steps / r.t_step;
    r.bytes_total = bytes_before_ + now.stats.bytes_sent();
    r.bytes_sent = r.bytes_total - logged_bytes_;
    r.dense_bytes = DenseBytes() * static_cast<uint64_t>(r.steps);
    r.t_compute = async_ ? (now.compute_s - before_.compute_s) / timed : r.t_step - (exposed - exposed_before_) / timed;
    r.t_encode = (now.stats.encode_s - before_.stats.encode_s) / timed;
    r.t_wire = (now.stats.wire_s - before_.stats.wire_s) / timed;
    r.t_decode = (now.stats.decode_s - before_.stats.decode_s) / timed;
    r.residual_norm = now.residual_norm;
    if (async_) r.stats = async_->stats();
    if (report_) report_->Interval(r);
    before_ = now, exposed_before_ = exposed, logged_step_ = step_, logged_bytes_ = r.bytes_total;
    interval_start_ = Now();
  }

  /// On the test set, shared among the ranks, with batch norm's statistics averaged over them.
  EvalRecord Evaluate() {
    const double begin = Now();
    const AtModel at_agreed(network_.Point(), rounds_.agreed());
    if (async_) MeasureStatistics();
    network_.ddp().AverageBuffers(*world_.exact);
    Tally tally;
    for (size_t at = 0; at < batches_.test_size(); at += kEvalBatch) {
      const Batch batch = batches_.Test(at, std::min(kEvalBatch, batches_.test_size() - at));
      network_.Evaluate(batch.images, batch.labels, tally);
    }
    tally = Sum(tally);
    interval_start_ += Now() - begin;  // evaluation is no part of an interval's time
    return {step_,
            static_cast<double>(step_) / static_cast<double>(steps_per_epoch_),
            tally.loss / tally.images,
            tally.correct / tally.images,
            logged_bytes_,
            Now() - start_};
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

  int64_t step_ = 0, begun_step_ = 0, logged_step_ = 0;
  double lr_ = 0, start_ = 0, interval_start_ = 0, exposed_before_ = 0;
  ExchangeState before_;
  uint64_t bytes_before_ = 0, logged_bytes_ = 0;  // before the save that the run goes on from; at the last record
};

}  // namespace

int TrainAsRank(const Config& config, const RankEnv& env) {
  if (config.train.mode == "async" && env.rank != 0) return RunAsyncWorker(config, env);
  return Trainer(config, env).Run();
}

}  // namespace gradwire::train
