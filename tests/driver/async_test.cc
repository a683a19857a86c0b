// SPDX-License-Identifier: Apache-2.0
// Known answers of the asynchronous event loop on a simulated clock (AsGrad: Islamov, Safaryan, Alistarh, AISTATS 2024,
// arXiv 2310.20452). A reference is what a run of the recursion gave, written in numpy apart from this code.
#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <memory>
#include <numeric>

#include <gtest/gtest.h>

#include "driver/async.h"
#include "driver/simulated_clock.h"
#include "estimate/convex_worker.h"
#include "gradwire/error.h"
#include "problem/quadratic.h"
#include "support/convex.h"

namespace gradwire {
namespace {

using testing::Comm;

struct AsyncTrial {
  Problem problem = QH();
  AsyncConfig config;
  double lr = 0.002;
  CommConfig comm = Comm("none", "identity");
  CommConfig down = Comm("none", "identity");
  DelayModel::Kind delays = DelayModel::Kind::kFixed;
  uint64_t seed = 1;
};

struct AsyncTrace {
  std::vector<double> distances, x;  // after each finished job
  std::vector<uint32_t> order;       // who finished
  AsyncStats stats;

  int JobsTo(double target) const {
    for (size_t k = 0; k < distances.size(); ++k)
      if (distances[k] <= target) return static_cast<int>(k) + 1;
    return -1;
  }
  /// The mean over the last quarter.
  double LateDistance() const {
    const auto first = distances.end() - static_cast<std::ptrdiff_t>(distances.size() / 4);
    return std::accumulate(first, distances.end(), 0.0) / static_cast<double>(distances.end() - first);
  }
  std::vector<double> late_mean;  // of the points of the last three quarters: single ones wander
};

/// Fixed speeds s_i = 1 + 3 (i mod 4); every message goes through a link of its worker's own.
AsyncTrace RunAsync(const AsyncTrial& trial, int jobs) {
  const auto problem = std::make_shared<Problem>(trial.problem);
  const size_t n = problem->workers.size(), d = problem->dimension();
  const AsyncParts parts{MakeParts(trial.comm, trial.seed), MakeParts(trial.down, trial.seed)};
  ConvexWorker model(problem, 0);
  AsyncServer<double> server(model, parts, trial.config, trial.seed, 7);
  server.SetLr(trial.lr);
  DelayModel delays{trial.delays, {}};
  for (size_t i = 0; i < n; ++i) delays.speed.push_back(1 + 3 * static_cast<double>(i % 4));
  SimulatedClock clock(delays, trial.seed);
  std::deque<ConvexWorker> objectives;
  std::deque<AsyncWorker<double>> workers;
  const auto begin = [&](std::vector<AsyncJob> handed) {
    for (AsyncJob& job : handed) clock.Begin(std::move(job));
  };
  for (uint32_t i = 0; i < n; ++i) {
    workers.emplace_back(objectives.emplace_back(problem, i), parts, i, 7);
    begin(server.Join(i));
  }
  AsyncTrace trace;
  for (int k = 0; k < jobs; ++k) {
    const AsyncJob job = clock.Finish();
    begin(server.Apply(job.worker, workers[job.worker].Compute(job.model, job.lr)));
    trace.order.push_back(job.worker);
    trace.distances.push_back(problem->Distance(model.x()));
    if (trace.late_mean.empty()) trace.late_mean.resize(d);
    if (k >= jobs / 4)
      for (size_t j = 0; j < d; ++j) trace.late_mean[j] += model.x()[j] / (jobs - jobs / 4);
  }
  trace.stats = server.stats();
  trace.x = model.x();
  return trace;
}

TEST(AsGrad, WaitingForAllIsGradientDescentWithNTimesTheStep) {
  for (const Assign assign : {Assign::kPure, Assign::kShuffled}) {
    const AsyncTrace trace = RunAsync({.config = {.assign = assign, .wait_for = 10}}, 2600);
    EXPECT_NEAR(trace.JobsTo(1e-10), 2350, 10);
    EXPECT_EQ(trace.stats.tau_max, 9u);
    EXPECT_EQ(trace.stats.tau_c, 10u);
    const auto synchronous = testing::Run({std::make_shared<Problem>(QH()), Comm("none", "identity"), 0.02, 40});
    const AsyncTrace waiting = RunAsync({.config = {.assign = assign, .wait_for = 10}}, 400);
    for (size_t j = 0; j < waiting.x.size(); ++j) EXPECT_NEAR(waiting.x[j], synchronous.x[j], 1e-14);
  }
}

TEST(AsGrad, ShufflingTakesAwayTheBiasOfFastWorkers) {  // references: pure 0.485, shuffled 0.080, random 0.095
  const auto run = [](Assign assign) { return RunAsync({.config = {.assign = assign}}, 12000); };
  const AsyncTrace pure = run(Assign::kPure), shuffled = run(Assign::kShuffled), random = run(Assign::kRandom);
  EXPECT_NEAR(pure.LateDistance(), 0.485, 0.02);  // the optimum weighted by speed, 0.4898 as the step goes to 0
  EXPECT_NEAR(shuffled.LateDistance(), 0.080, 0.02);
  EXPECT_LT(shuffled.LateDistance(), pure.LateDistance() / 3);
  // Independent draws wander by 0.4 around the solution; their mean does not: no bias is left.
  EXPECT_LT(QH().Distance(random.late_mean), 0.095);
  EXPECT_GT(QH().Distance(pure.late_mean), 0.45);
}

/// The workers agree at the solution: b_i becomes A_i x*.
Problem Interpolated() {
  Problem problem = QH();
  const std::vector<double> solution = problem.minimiser->x;
  for (auto& worker : problem.workers) {
    const size_t d = solution.size();
    std::vector<double> a(d * d), at_solution(d), column(d), zero(d), unit(d);
    worker->Gradient(zero, at_solution);  // -b
    for (size_t j = 0; j < d; ++j) {
      unit.assign(d, 0), unit[j] = 1;
      worker->Gradient(unit, column);
      for (size_t i = 0; i < d; ++i) a[i * d + j] = column[i] - at_solution[i];
    }
    std::vector<double> b(d);
    for (size_t i = 0; i < d; ++i)
      for (size_t j = 0; j < d; ++j) b[i] += a[i * d + j] * solution[j];
    worker = MakeQuadratic(a, b, zero);
  }
  return problem;
}

TEST(AsGrad, EveryRuleConvergesWhereTheWorkersAgreeAtTheSolution) {
  for (const Assign assign : {Assign::kPure, Assign::kRandom, Assign::kShuffled, Assign::kShuffleOnce}) {
    const int jobs =
        RunAsync({.problem = Interpolated(), .config = {.assign = assign}, .lr = 0.01}, 2100).JobsTo(1e-10);
    EXPECT_GT(jobs, 0) << static_cast<int>(assign);
  }
}

TEST(AsGrad, ARunIsReproducedToTheLastJob) {
  for (const auto kind : {DelayModel::Kind::kPoisson, DelayModel::Kind::kNormal, DelayModel::Kind::kUniform}) {
    const AsyncTrial trial{.config = {.assign = Assign::kShuffled}, .delays = kind};
    const AsyncTrace once = RunAsync(trial, 500), again = RunAsync(trial, 500);
    EXPECT_EQ(once.order, again.order);
    EXPECT_EQ(once.x, again.x);
    AsyncTrial other = trial;
    other.seed = 2;
    EXPECT_NE(RunAsync(other, 500).order, once.order);
  }
}

TEST(AsGrad, StalenessAddsUp) {
  const AsyncTrace trace = RunAsync({}, 1000);
  uint64_t counted = 0, weighted = 0;
  for (const auto& [staleness, count] : trace.stats.staleness) counted += count, weighted += staleness * count;
  EXPECT_EQ(counted, trace.stats.applied);
  EXPECT_EQ(trace.stats.applied, 1000u);
  EXPECT_NEAR(static_cast<double>(weighted) / 1000, 9, 0.2);  // the other nine finish, on the mean, between two of one
  const AsyncTrace bounded = RunAsync({.config = {.max_staleness = 20}}, 1000);
  EXPECT_GT(bounded.stats.dropped, 0u);
  EXPECT_LE(bounded.stats.tau_max, 20u);
}

TEST(AsGrad, EveryLinkWorksForOneWorkerAtATime) {  // ef21's receivers hold a shift for each worker
  for (const auto& [method, compressor] : {std::pair{"ef", "topk:4"}, {"ef21", "topk:4"}, {"diana", "randk:4"}}) {
    const AsyncTrace trace = RunAsync({.problem = Interpolated(),
                                       .config = {.assign = Assign::kShuffled},
                                       .lr = 0.002,
                                       .comm = Comm(method, compressor)},
                                      30000);
    EXPECT_LT(trace.distances.back(), 1e-6) << method;
  }
}

TEST(AsGrad, TheWayBackCompressesWhatTheWorkersCopyLacks) {  // so that nothing is left out for good
  for (const char* down : {"topk:1", "sign", "natural"}) {
    AsyncTrial trial{.problem = Interpolated(), .config = {.assign = Assign::kShuffled}, .lr = 0.002};
    trial.down = Comm("dcgd", down);
    const AsyncTrace trace = RunAsync(trial, 30000);
    EXPECT_LT(trace.distances.back(), 1e-6) << down;
    EXPECT_LT(trace.stats.bytes_down, trace.stats.bytes_up) << down;
  }
}

TEST(SimulatedClock, PoissonDelaysHaveTheirMeanHoweverLarge) {  // e^-2000 is 0 in double precision
  for (const double mean : {3.0, 600.0, 2000.0}) {
    SimulatedClock clock({DelayModel::Kind::kPoisson, {mean}}, 1);
    for (int i = 0; i < 400; ++i) {
      clock.Begin(AsyncJob{});
      clock.Finish();
    }
    EXPECT_NEAR(clock.now() / 400, mean, 5 * std::sqrt(mean / 400)) << mean;
  }
}

/// A server and workers without a clock: the test says who has finished.
class Crew {
 public:
  Crew(Assign assign, int64_t wait_for)
      : parts_{MakeParts(Comm("ef", "topk:2"), 1), MakeParts(Comm("none", "identity"), 1)},
        server_(model_, parts_, {.assign = assign, .wait_for = wait_for}, 1, 7) {
    server_.SetLr(0.001);
  }
  void Join(uint32_t worker) {
    workers_.try_emplace(worker, problem_, parts_, worker);
    Hand(server_.Join(worker));
  }
  void Leave(uint32_t worker) {
    workers_.erase(worker);
    Hand(server_.Leave(worker));
  }
  bool HasJob(uint32_t worker) { return !workers_.at(worker).jobs.empty(); }
  void Finish(uint32_t worker) {
    Worker& one = workers_.at(worker);
    const AsyncJob job = std::move(one.jobs.front());
    one.jobs.pop_front();
    Hand(server_.Apply(worker, one.end.Compute(job.model, job.lr)));
    EXPECT_EQ(server_.last().number, job.number);
    applied.push_back(job.number);
  }
  size_t JobsOut() const {
    size_t out = 0;
    for (const auto& item : workers_) out += item.second.jobs.size();
    return out;
  }
  const AsyncServer<double>& server() const { return server_; }
  std::vector<uint64_t> applied;

 private:
  struct Worker {
    Worker(std::shared_ptr<const Problem> problem, const AsyncParts& parts, uint32_t number)
        : objective(std::move(problem), number % 10), end(objective, parts, number, 7) {}
    ConvexWorker objective;
    AsyncWorker<double> end;
    std::deque<AsyncJob> jobs;
  };
  void Hand(std::vector<AsyncJob> jobs) {
    for (AsyncJob& job : jobs) workers_.at(job.worker).jobs.push_back(std::move(job));
  }

  std::shared_ptr<const Problem> problem_ = std::make_shared<Problem>(QH());
  AsyncParts parts_;
  ConvexWorker model_{problem_, 0};
  AsyncServer<double> server_;
  std::map<uint32_t, Worker> workers_;
};

TEST(AsGrad, WorkersComeAndGoAndEveryJobIsDoneOnce) {
  for (const Assign assign : {Assign::kPure, Assign::kRandom, Assign::kShuffled, Assign::kShuffleOnce})
    for (const int64_t wait_for : {1, 3}) {
      Crew crew(assign, wait_for);
      std::vector<uint32_t> present = {0, 1, 2};
      for (const uint32_t worker : present) crew.Join(worker);
      Philox random(3, Purpose::kShuffle, static_cast<uint32_t>(assign), static_cast<uint64_t>(wait_for));
      uint32_t next = 3;
      for (int k = 0; k < 600; ++k) {
        const auto pick = [&] {
          return present[static_cast<size_t>(random.Uniform() * static_cast<double>(present.size()))];
        };
        const double what = random.Uniform();
        if (what < 0.05 && present.size() < 6) {
          present.push_back(next), crew.Join(next++);
        } else if (what < 0.1 && present.size() > 1) {
          const uint32_t gone = pick();
          std::erase(present, gone), crew.Leave(gone);
        }
        ASSERT_GT(crew.JobsOut(), 0u) << "nobody has anything to do";
        uint32_t worker = pick();
        while (!crew.HasJob(worker)) worker = pick();
        crew.Finish(worker);
      }
      std::vector<uint64_t> numbers = crew.applied;
      const std::vector<uint64_t> unfinished = crew.server().Unfinished();
      numbers.insert(numbers.end(), unfinished.begin(), unfinished.end());
      std::ranges::sort(numbers);
      std::vector<uint64_t> all(crew.server().next_number());
      std::iota(all.begin(), all.end(), uint64_t{0});
      EXPECT_EQ(numbers, all) << static_cast<int>(assign) << " " << wait_for;
      EXPECT_GT(next, 5u);
    }
}

TEST(AsGrad, TheTwoWaysOfAWorkerDrawBitsOfTheirOwn) {  // else a gradient's mask would be that of the model it is at
  const std::vector<Parameter> parameters = {{"x", {2000}}};
  const ExchangeParts parts = MakeParts(Comm("dcgd", "randk:10%"), 1);
  LinkEnd<double> up(parameters, parts, 0, 7), same(parameters, parts, 0, 7),
      down(parameters, parts, 0, 7, Purpose::kDown);
  std::vector<double> v(2000);
  std::iota(v.begin(), v.end(), 1.0);
  const std::vector<std::byte> message = up.Pack(3, 1, v);
  EXPECT_EQ(same.Pack(3, 1, v), message);
  EXPECT_NE(down.Pack(3, 1, v), message);
}

TEST(AsGrad, AMessageThatCannotBeIsRefusedAndChangesNothing) {
  const auto problem = std::make_shared<Problem>(QH());
  const AsyncParts parts{MakeParts(Comm("none", "identity"), 1), MakeParts(Comm("none", "identity"), 1)};
  ConvexWorker model(problem, 0), objective(problem, 0);
  AsyncServer<double> server(model, parts, {.wait_for = 2}, 1, 7);
  server.SetLr(0.001);
  AsyncWorker<double> stranger(objective, parts, 0, 8);
  const AsyncJob job = std::move(server.Join(0)[0]);
  server.Join(1);
  EXPECT_THROW(server.Apply(0, std::vector<std::byte>(10)), PeerError);
  EXPECT_EQ(server.stats().applied, 0u);
  EXPECT_THROW(stranger.Compute(job.model, 0.001), PeerError);  // of another run
  LinkEnd<double> up(model.parameters(), parts.up, 0, 7);
  const std::vector<double> gradient(problem->dimension(), 1.0);
  AsyncServer<double> other(model, parts, {.wait_for = 2}, 1, 7);
  other.Join(0), other.Join(1);
  EXPECT_TRUE(other.Apply(0, up.Pack(0, 0, gradient)).empty());      // the other one's is waited for
  EXPECT_THROW(other.Apply(0, up.Pack(1, 0, gradient)), PeerError);  // it has no job meanwhile
  EXPECT_EQ(other.stats().applied, 1u);
}

}  // namespace
}  // namespace gradwire
