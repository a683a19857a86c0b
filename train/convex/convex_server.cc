// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <deque>

#include "estimate/convex_worker.h"
#include "train/checkpoint/archive.h"
#include "train/config/async_rules.h"
#include "train/convex/convex_driver.h"
#include "train/report/clock.h"

namespace gradwire::train {
namespace {

constexpr uint64_t kToken = 0x6173796e63;  // both ends of every link are in this process

class ConvexServer final : public ConvexDriver {
 public:
  explicit ConvexServer(const ConvexContext& context)
      : problem_(*context.setup.problem),
        parts_{context.parts.exchange, DownPartsOf(context.config)},
        epoch_(StepsPerEpoch(context.parts.estimator, problem_) * static_cast<int64_t>(problem_.workers.size())),
        clock_(DelaysOf(context.config.async, problem_.workers.size()), context.config.run.seed),
        model_(context.setup.problem, 0),
        server_(model_, parts_, RulesOf(context.config.async), context.config.run.seed, kToken) {
    for (uint32_t i = 0; i < problem_.workers.size(); ++i) {
      auto own = Placed(context.config, [&] {
        return MakeEstimator(context.parts.estimator, context.setup.problem, i, context.config.run.seed);
      });
      objectives_.emplace_back(context.setup.problem, i, std::move(own));
      workers_.emplace_back(objectives_.back(), parts_, i, kToken);
    }
  }

  /// Lets the workers join, unless a save has brought them and their jobs.
  void Begin(const Round& round) override {
    server_.SetLr(round.lr);
    if (round.step > 0) return;
    for (uint32_t i = 0; i < workers_.size(); ++i) Hand(server_.Join(i));
  }

  /// Applies the gradient of the worker that is the next to finish.
  bool Step(const Round& round) override {
    const double begin = Now();
    server_.SetLr(round.lr);
    const AsyncJob job = clock_.Finish();
    Hand(server_.Apply(job.worker, workers_[job.worker].Compute(job.model, job.lr)));
    wall_s_ += Now() - begin;
    return true;
  }

  bool is_finite() const override {
    return std::ranges::all_of(model_.x(), [](double v) { return std::isfinite(v); });
  }

  void Save(Snapshot& file) override { PutState(file, kConvexState, *this, kMessagesVersion); }
  void Load(const train::Save& save) override { GetState(save.files[0], kConvexState, *this, kMessagesVersion); }

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(server_, model_, clock_, wall_s_);
    for (ConvexWorker& objective : objectives_) archive(objective);
    for (AsyncWorker<double>& worker : workers_) archive(worker);
  }

  std::span<const double> agreed() const override { return model_.x(); }

  void Describe(ConvexState& state) override {
    state.wall_s = wall_s_, state.clock = clock_.now(), state.stats = server_.stats();
    const ExchangeStats& first = workers_[0].stats();
    state.bits_up = 8 * first.bytes_sent(), state.bits_payload = 8 * first.payload_bytes;
    state.bits_paper = first.paper_bits;
    state.bits_down = 8 * static_cast<double>(server_.stats().bytes_down) / static_cast<double>(workers_.size());
    state.passes = objectives_[0].passes();
  }

  int64_t steps_per_epoch() const override { return epoch_; }

 private:
  void Hand(std::vector<AsyncJob> jobs) {
    for (AsyncJob& job : jobs) clock_.Begin(std::move(job));
  }

  const Problem& problem_;
  const AsyncParts parts_;
  const int64_t epoch_;  // steps
  SimulatedClock clock_;
  ConvexWorker model_;  // the server's
  AsyncServer<double> server_;
  std::deque<ConvexWorker> objectives_;
  std::deque<AsyncWorker<double>> workers_;
  double wall_s_ = 0;  // of all steps
};

}  // namespace

std::unique_ptr<ConvexDriver> MakeConvexServer(const ConvexContext& context) {
  return std::make_unique<ConvexServer>(context);
}

}  // namespace gradwire::train
