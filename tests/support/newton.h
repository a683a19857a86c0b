// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "gradwire/method.h"
#include "newton/newton_rounds.h"
#include "support/ranks.h"

namespace gradwire {

inline void PrintTo(const NewtonConfig& config, std::ostream* out) { *out << config.method; }

namespace testing {

/// A run of a Newton method on a problem.
struct NewtonTrial {
  std::shared_ptr<const Problem> problem;
  NewtonConfig newton;
  int steps = 20;
  uint64_t seed = 1;
  CommConfig gradients = {.method = "none", .compressor = "identity", .min_compress_numel = 0, .compress_1d = true};
};

/// What was seen of it: ||x^k - x*|| for k = 0..steps, the points, and by worker what it has computed and sent.
struct NewtonTrace {
  std::vector<double> distances;
  std::vector<std::vector<double>> points;
  std::vector<NewtonWorker::Counts> counts;
  std::vector<ExchangeStats> sent, received;

  /// The first k with ||x^k - x*|| <= target; -1 where there is none.
  int RoundsTo(double target) const {
    for (size_t k = 0; k < distances.size(); ++k)
      if (distances[k] <= target) return static_cast<int>(k);
    return -1;
  }
};

/// LR2, begun elsewhere.
inline std::shared_ptr<const Problem> Lr2From(std::vector<double> start) {
  static const Problem made = LR2();
  Problem problem = made;
  problem.start = std::move(start);
  return std::make_shared<const Problem>(std::move(problem));
}
/// x* + 0.1 cos(j), 0, and 5 sin(1 + j).
inline std::shared_ptr<const Problem> Lr2Near() {
  std::vector<double> start = LR2().minimiser->x;
  for (size_t j = 0; j < start.size(); ++j) start[j] += 0.1 * std::cos(static_cast<double>(j));
  return Lr2From(start);
}
inline std::shared_ptr<const Problem> Lr2Zero() { return Lr2From(std::vector<double>(10)); }
inline std::shared_ptr<const Problem> Lr2Far() {
  std::vector<double> start(10);
  for (size_t j = 0; j < start.size(); ++j) start[j] = 5 * std::sin(1 + static_cast<double>(j));
  return Lr2From(start);
}
/// The mean over samples of ||a||^3 / (6 sqrt(3)): f's Hessian is Lipschitz with it.
constexpr double kLr2Cubic = 29.50631374182497;

inline void Follow(const NewtonTrial& trial, Peers& peers, const NewtonParts& parts, NewtonTrace& trace,
                   const std::function<ExchangeStats(size_t)>& stats) {
  const auto rounds = MakeNewtonRounds(peers, trial.problem, parts);
  for (int step = 0; step <= trial.steps; ++step) {
    trace.points.emplace_back(rounds->x().begin(), rounds->x().end());
    trace.distances.push_back(trial.problem->Distance(rounds->x()));
    if (step < trial.steps) rounds->Step(static_cast<uint64_t>(step));
  }
  for (size_t i = 0; i < peers.size(); ++i) {
    trace.counts.push_back(rounds->counts(i));
    trace.sent.push_back(stats(i));
    trace.received.push_back(rounds->model_stats(i));
  }
}

inline std::vector<Parameter> PointOf(const Problem& problem) {
  return {{"x", {static_cast<int64_t>(problem.dimension())}}};
}

/// All workers in this process.
inline NewtonTrace Run(const NewtonTrial& trial, size_t threads = 1) {
  const BitRule* paper = FindBitRule("paper");
  const NewtonParts parts = MakeNewtonParts(trial.newton, *trial.problem, trial.seed, paper);
  ExchangeParts gradients = MakeParts(trial.gradients, trial.seed);
  gradients.count_as = paper;
  JointExchange<double> exchange(static_cast<uint32_t>(trial.problem->workers.size()), threads, PointOf(*trial.problem),
                                 NewtonGradientParts(parts, gradients));
  const auto peers = MakePeers(exchange);
  NewtonTrace trace;
  Follow(trial, *peers, parts, trace, [&](size_t i) { return exchange.stats(i); });
  return trace;
}

/// Each worker is a rank.
inline std::vector<NewtonTrace> RunOnRanks(const NewtonTrial& trial) {
  const size_t n = trial.problem->workers.size();
  std::vector<NewtonTrace> traces(n);
  RunRanks(static_cast<int>(n), [&](Collective& collective) {
    const BitRule* paper = FindBitRule("paper");
    const NewtonParts parts = MakeNewtonParts(trial.newton, *trial.problem, trial.seed, paper);
    ExchangeParts gradients = MakeParts(trial.gradients, trial.seed);
    gradients.count_as = paper;
    Exchange<double> exchange(collective, PointOf(*trial.problem), NewtonGradientParts(parts, gradients));
    const auto rank = static_cast<uint32_t>(collective.rank());
    const auto peers = MakePeers(exchange, rank, static_cast<uint32_t>(n));
    Follow(trial, *peers, parts, traces[rank], [&](size_t) { return exchange.stats(); });
  });
  return traces;
}

/// Rounds to a distance of 1e-10, at most `steps`.
inline int RoundsOf(std::shared_ptr<const Problem> problem, NewtonConfig newton, int steps = 60, uint64_t seed = 1) {
  return Run({.problem = std::move(problem), .newton = std::move(newton), .steps = steps, .seed = seed})
      .RoundsTo(1e-10);
}

}  // namespace testing
}  // namespace gradwire
