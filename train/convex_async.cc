// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "gradwire/async.h"
#include "gradwire/convex_worker.h"
#include "train/convex_parts.h"
#include "train/convex_report.h"

namespace gradwire::train {
namespace {

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

constexpr uint64_t kToken = 0x6173796e63;  // both ends of every link are in this process

AsyncConfig RulesOf(const AsyncRunConfig& config) {
  static const std::map<std::string, Assign> rules = {{"pure", Assign::kPure},
                                                      {"random", Assign::kRandom},
                                                      {"shuffled", Assign::kShuffled},
                                                      {"shuffle_once", Assign::kShuffleOnce}};
  return {rules.at(config.assign), config.wait_for, config.max_staleness};
}

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

/// What a worker hands to an exchange becomes a message on its link instead.
class LinkSink final : public BucketSink<double> {
 public:
  explicit LinkSink(LinkEnd<double>& link) : link_(link) {}
  void Push(const Round& round, const Bucket<double>& bucket, std::function<void(std::exception_ptr)> done) override {
    message_ = link_.Pack(round.step, round.lr, bucket.values);
    done(nullptr);
  }
  const std::vector<std::byte>& message() const { return message_; }

 private:
  LinkEnd<double>& link_;
  std::vector<std::byte> message_;
};

struct Worker {
  ConvexWorker objective;
  LinkEnd<double> link;
  uint64_t sent = 0;
};

class AsyncRun {
 public:
  AsyncRun(const Config& config, const ConvexSetup& setup)
      : config_(config),
        problem_(*setup.problem),
        parts_(PartsOf(config, setup)),
        clock_(DelaysOf(config.async, problem_.workers.size()), config.run.seed),
        report_(config) {
    const size_t n = problem_.workers.size();
    for (size_t i = 0; i < n; ++i) {
      auto estimator =
          WithPlace(config, [&] { return MakeEstimator(parts_.estimator, setup.problem, i, config.run.seed); });
      ConvexWorker objective(setup.problem, i, std::move(estimator));
      LinkEnd<double> link(objective.parameters(), parts_.exchange, static_cast<int>(i), kToken);
      workers_.push_back({std::move(objective), std::move(link)});
    }
    server_ = std::make_unique<AsyncServer<double>>(problem_.start, workers_[0].objective.parameters(), parts_.exchange,
                                                    n, RulesOf(config.async), config.run.seed, kToken);
  }

  void Run() {
    Begin(server_->Start());
    Log();
    bool finite = true;
    while (finite && step_ < config_.train.steps) {
      const double begin = Now();
      const Job job = clock_.Finish();
      Begin(server_->Apply(job.worker, config_.optimizer.lr, Compute(job)));
      wall_s_ += Now() - begin;
      ++step_;
      finite = std::ranges::all_of(server_->x(), [](double v) { return std::isfinite(v); });
      if (finite && (step_ % config_.log.every_steps == 0 || step_ == config_.train.steps)) Log();
    }
    report_.Final(Measure(), !finite);
  }

 private:
  void Begin(const std::vector<Job>& jobs) {
    for (const Job& job : jobs) {
      Model& model = models_[job.version];
      if (model.readers++ == 0) model.x.assign(server_->x().begin(), server_->x().end());
      clock_.Begin(job);
    }
  }

  /// The worker's message about its gradient at the model that it was given.
  std::vector<std::byte> Compute(const Job& job) {
    Worker& worker = workers_[job.worker];
    const auto model = models_.find(job.version);
    std::ranges::copy(model->second.x, worker.objective.Point()[0].begin());
    if (--model->second.readers == 0) models_.erase(model);
    LinkSink sink(worker.link);
    worker.objective.Gradient({worker.sent++, config_.optimizer.lr}, sink);
    return sink.message();
  }

  void Log() { report_.Interval(Measure()); }

  ConvexRecord Measure() const {
    ConvexRecord r;
    r.step = step_, r.lr = config_.optimizer.lr, r.wall_s = wall_s_, r.clock = clock_.now(), r.stats = server_->stats();
    const ExchangeStats& first = workers_[0].link.stats();
    r.bits_up = 8 * first.bytes_sent(), r.bits_payload = 8 * first.payload_bytes;
    for (const Worker& worker : workers_)
      r.bits_down += 8 * static_cast<double>(worker.link.stats().bytes_sent()) / static_cast<double>(workers_.size());
    r.passes = workers_[0].objective.passes();
    const std::span<const double> x = server_->x();
    r.f = problem_.Value(x);
    for (const double g : problem_.Gradient(x)) r.grad_norm += g * g;
    r.grad_norm = std::sqrt(r.grad_norm);
    if (problem_.minimiser) r.f_gap = r.f - problem_.minimiser->value, r.dist = problem_.Distance(x);
    return r;
  }

  /// As long as a job needs it.
  struct Model {
    std::vector<double> x;
    int readers = 0;
  };

  const Config& config_;
  const Problem& problem_;
  const ConvexParts parts_;
  SimulatedClock clock_;
  ConvexReport report_;
  std::vector<Worker> workers_;
  std::unique_ptr<AsyncServer<double>> server_;
  std::map<uint64_t, Model> models_;  // by version
  int64_t step_ = 0;
  double wall_s_ = 0;
};

}  // namespace

void RunConvexAsync(const Config& config) {
  const ConvexSetup setup = PrepareConvex(config, static_cast<size_t>(config.run.nproc));
  AsyncRun(config, setup).Run();
}

}  // namespace gradwire::train
