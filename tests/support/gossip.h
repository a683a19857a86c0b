// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runs of neighbours on a convex problem, all in one process or with a thread a worker.

#include <cmath>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gossip/gossip_rounds.h"
#include "gossip/mixing.h"
#include "support/convex.h"
#include "support/ranks.h"

namespace gradwire::testing {

struct GossipTrial {
  std::shared_ptr<const Problem> problem;
  std::string method, compressor = "auto", graph = "ring";
  WeightRule rule = WeightRule::kAuto;
  double gamma = 1, lr = 0;
  std::optional<double> lambda = {};  ///< none: the method's
  int rounds = 0;
  bool opens_dense = false;
  EstimatorConfig estimator = {};
  uint64_t seed = 1;
};

/// After each round, from the first one on, and the end.
struct GossipTrace {
  std::vector<double> distances;       ///< sqrt(mean_i ||x_i - x*||^2)
  double worst_invariant = 0;          ///< max over the rounds of ||mean v - mean m||
  std::vector<std::vector<double>> x;  ///< by worker, where it pushes with its weight
  std::vector<std::vector<double>> models;
  Spread spread;
  std::vector<uint64_t> bytes;  ///< by worker

  int RoundsTo(double target) const {
    for (size_t k = 0; k < distances.size(); ++k)
      if (distances[k] <= target) return static_cast<int>(k) + 1;
    return -1;
  }
  /// The root of the mean square over the second half.
  double Floor() const {
    double square = 0;
    const size_t half = distances.size() / 2;
    for (size_t k = half; k < distances.size(); ++k) square += distances[k] * distances[k];
    return std::sqrt(square / static_cast<double>(distances.size() - half));
  }
};

struct GossipSetup {
  explicit GossipSetup(const GossipTrial& trial)
      : method(FindGossipMethod(trial.method)),
        parts{&method, trial.gamma, trial.lambda.value_or(method.lambda)},
        opens(method.Opens(trial.opens_dense)),
        link(GossipLinkParts(method, Comm("auto", trial.compressor.c_str()), trial.opens_dense, trial.seed)),
        mixing(MakeMixing(trial.graph, trial.rule, trial.problem->workers.size(), trial.seed, method.asks())),
        told(ToldOf({{"x", {static_cast<int64_t>(trial.problem->dimension())}}}, method)) {}

  const GossipMethod& method;
  const GossipParts parts;
  const bool opens;
  const ExchangeParts link;
  const Mixing mixing;
  const std::vector<Parameter> told;
};

/// A worker of the problem, and what it minimises.
struct ConvexNeighbour {
  ConvexNeighbour(const GossipTrial& trial, const GossipParts& parts, uint32_t i)
      : objective(*parts.method, MakeEstimator(trial.estimator, trial.problem, i, trial.seed)),
        worker(trial.problem->start, parts, objective) {}
  ConvexNeighbour(const ConvexNeighbour&) = delete;

  EstimatedObjective objective;
  GossipWorker<double> worker;
};

inline std::deque<ConvexNeighbour> MakeGossipWorkers(const GossipTrial& trial, const GossipParts& parts,
                                                     const std::vector<uint32_t>& own) {
  std::deque<ConvexNeighbour> workers;
  for (const uint32_t i : own) workers.emplace_back(trial, parts, i);
  return workers;
}

inline std::vector<GossipWorker<double>*> Pointers(std::deque<ConvexNeighbour>& workers) {
  std::vector<GossipWorker<double>*> pointers;
  for (ConvexNeighbour& neighbour : workers) pointers.push_back(&neighbour.worker);
  return pointers;
}

inline GossipTrace RunGossip(const GossipTrial& trial) {
  const GossipSetup setup(trial);
  const auto neighbours = MakeNeighbours<double>(setup.mixing, setup.link, setup.told, setup.method.vectors());
  auto workers = MakeGossipWorkers(trial, setup.parts, neighbours->own());
  GossipRounds<double> rounds(Pointers(workers), *neighbours, setup.parts, setup.opens);
  GossipTrace trace;
  const auto n = static_cast<double>(workers.size());
  rounds.Begin();
  for (int k = 0; k < trial.rounds; ++k) {
    rounds.Step({static_cast<uint64_t>(k), trial.lr});
    double square = 0, apart = 0;
    for (const auto& [objective, worker] : workers) square += std::pow(trial.problem->Distance(worker.model()), 2) / n;
    trace.distances.push_back(std::sqrt(square));
    for (size_t j = 0; j < trial.problem->dimension(); ++j) {
      double difference = 0;
      for (const auto& [objective, worker] : workers) difference += (worker.v()[j] - worker.m()[j]) / n;
      apart += difference * difference;
    }
    trace.worst_invariant = std::max(trace.worst_invariant, std::sqrt(apart));
  }
  for (size_t i = 0; i < workers.size(); ++i) {
    trace.x.emplace_back(workers[i].worker.x().begin(), workers[i].worker.x().end());
    trace.models.emplace_back(workers[i].worker.model().begin(), workers[i].worker.model().end());
    trace.bytes.push_back(neighbours->stats(i).bytes_sent());
  }
  trace.spread = rounds.Measure();
  return trace;
}

/// The same with a thread a worker: models, bytes and what rank 0 measures.
inline GossipTrace RunGossipThreads(const GossipTrial& trial) {
  const GossipSetup setup(trial);
  const size_t n = trial.problem->workers.size();
  GossipTrace trace;
  trace.x.resize(n), trace.bytes.resize(n);
  RunRanks(static_cast<int>(n), [&](Collective& collective) {
    const auto rank = static_cast<size_t>(collective.rank());
    const auto neighbours =
        MakeNeighbours<double>(setup.mixing, setup.link, setup.told, setup.method.vectors(), collective);
    auto workers = MakeGossipWorkers(trial, setup.parts, neighbours->own());
    GossipRounds<double> rounds(Pointers(workers), *neighbours, setup.parts, setup.opens);
    rounds.Begin();
    for (int k = 0; k < trial.rounds; ++k) rounds.Step({static_cast<uint64_t>(k), trial.lr});
    trace.x[rank].assign(workers[0].worker.x().begin(), workers[0].worker.x().end());
    trace.bytes[rank] = neighbours->stats(0).bytes_sent();
    const Spread spread = rounds.Measure();
    if (rank == 0) trace.spread = spread;
  });
  return trace;
}

}  // namespace gradwire::testing
