// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "driver/delayed.h"
#include "driver/model_round.h"
#include "estimate/convex_worker.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/ranks.h"

namespace gradwire::testing {

/// A run of a method on a problem with one rank a worker.
struct ConvexTrial {
  std::shared_ptr<const Problem> problem;
  CommConfig comm;
  double lr = 0;
  int steps = 0;
  EstimatorConfig estimator = {};
  Prox prox = {};
  uint64_t seed = 1;
  int64_t delay = 0;                      ///< rounds
  std::optional<LocalConfig> local = {};  ///< model rounds in place of gradient rounds
};

/// What was seen of it: ||x^k - x*|| for k = 0..steps (of the point agreed last), the last point, and rank 0's passes
/// over its data.
struct ConvexTrace {
  std::vector<double> distances, x;
  double passes = 0;
  std::vector<double> all_passes;  // by worker
  bool replicas_agree = true;

  /// The first k with ||x^k - x*|| <= target; -1 where there is none.
  int RoundsTo(double target) const {
    for (size_t k = 0; k < distances.size(); ++k)
      if (distances[k] <= target) return static_cast<int>(k);
    return -1;
  }
};

/// Sends every element, however few, compressed.
inline CommConfig Comm(const char* method, const char* compressor) {
  CommConfig comm;
  comm.method = method;
  comm.compressor = compressor;
  comm.min_compress_numel = 0;
  comm.compress_1d = true;
  return comm;
}

inline ConvexTrace Run(const ConvexTrial& trial) {
  ConvexTrace trace;
  const size_t n = trial.problem->workers.size();
  std::vector<std::vector<double>> points(n);
  std::vector<double>& passes = trace.all_passes;
  passes.resize(n);
  RunRanks(static_cast<int>(n), [&](Collective& collective) {
    const auto rank = static_cast<size_t>(collective.rank());
    ExchangeParts parts = MakeParts(trial.comm, trial.seed);
    parts.prox = trial.prox;
    EstimatorConfig estimator = trial.estimator;
    ShareCoin(*trial.problem, trial.comm.p == "auto", estimator, parts);
    ConvexWorker f(trial.problem, rank, MakeEstimator(estimator, trial.problem, rank, trial.seed));
    Exchange<double> exchange(collective, f.parameters(), parts);
    for (const uint32_t channel : ChannelsOf(trial.local.value_or(LocalConfig{}))) exchange.Open(channel);
    DirectSink<double> sink(exchange);
    Delayed<double> delayed(f, trial.delay);
    ModelRounds<double> rounds(delayed, sink, trial.local.value_or(LocalConfig{.sync_every = 1}), trial.seed,
                               static_cast<uint32_t>(rank), 1 << 20, [&] { exchange.ForgetMemory(); });
    double distance = (rank == 0 ? f.Distance() : 0);
    for (int step = 0; step < trial.steps; ++step) {
      if (rank == 0) trace.distances.push_back(distance);
      if (rounds.Step({static_cast<uint64_t>(step), trial.lr})) distance = (rank == 0 ? f.Distance() : 0);
    }
    if (rank == 0) trace.distances.push_back(distance), trace.passes = f.passes();
    points[rank] = f.x();
    passes[rank] = f.passes();
  });
  trace.x = points[0];
  for (const auto& point : points) trace.replicas_agree = trace.replicas_agree && point == points[0];
  return trace;
}

}  // namespace gradwire::testing
