// SPDX-License-Identifier: Apache-2.0
#include "averaging/averaging_run.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "averaging/meetings.h"
#include "averaging/shuffle.h"
#include "base/normal.h"
#include "base/thread_pool.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr double kRoundSeconds = 1, kLifetime = 2 * kRoundSeconds;

void CheckRange(const char* key, double found, double least, double most) {
  if (!(found >= least && found <= most))
    throw ConfigError(key, fmt::format("found {:g}, expected a number from {:g} to {:g}", found, least, most));
}

}  // namespace

void CheckAveraging(const AveragingRun& run) {
  CheckRange("peers", static_cast<double>(run.peers), 1, kMostPeers);
  CheckRange("side", static_cast<double>(run.side), 2, kMostPeers);
  CheckRange("dims", static_cast<double>(run.dims), 1, 24);
  CheckRange("failures", run.failure, 0, 1);
  CheckRange("restarts", static_cast<double>(run.restarts), 2, 1e6);
  CheckRange("cap", static_cast<double>(run.cap), 1, 1e6);
  const auto registry = MakeMemoryRegistry([] { return 0.0; });
  FindAveragingMethod(run.method).make({run.peers, run.side, run.dims, run.seed, registry.get(), kLifetime});
}

namespace {

/// One restart.
struct Restart {
  size_t fine = 0, coarse = 0, rounds = 0;
  std::vector<double> variance = {};
  double drift = 0;
  AveragingCost cost = {};
  RegistryStats registry = {};
};

std::vector<bool> Answers(const AveragingRun& run, uint64_t seed, size_t round) {
  Philox random = StreamOf(seed, MeetDraw::kFailures, round);
  std::vector<bool> answers(run.peers);
  for (size_t i = 0; i < run.peers; ++i) answers[i] = random.Uniform() >= run.failure;
  return answers;
}

Restart RunOnce(const AveragingRun& run, size_t number) {
  Philox seeds = StreamOf(run.seed, MeetDraw::kRestart, number);
  const uint64_t high = seeds.Next(), seed = high << 32 | seeds.Next();
  Restart restart{.fine = run.cap, .coarse = run.cap};
  const auto registry = MakeMemoryRegistry([&] { return kRoundSeconds * static_cast<double>(restart.rounds); });
  const auto averaging =
      FindAveragingMethod(run.method).make({run.peers, run.side, run.dims, seed, registry.get(), kLifetime});
  std::vector<double> values(run.peers);
  Philox normal = StreamOf(seed, MeetDraw::kValues, 0);
  for (double& value : values) value = Normal(normal);
  const Moments first = MomentsOf(values);
  restart.variance.push_back(first.variance);
  if (first.variance < run.coarse) restart.coarse = 0;
  if (first.variance < run.fine) restart.fine = 0;
  while (restart.rounds < run.cap && restart.variance.back() >= run.fine) {
    averaging->Round(values, Answers(run, seed, restart.rounds++));
    restart.variance.push_back(MomentsOf(values).variance);
    if (restart.variance.back() < run.coarse) restart.coarse = std::min(restart.coarse, restart.rounds);
    if (restart.variance.back() < run.fine) restart.fine = restart.rounds;
  }
  restart.drift = std::abs(MomentsOf(values).mean - first.mean);
  restart.cost = averaging->cost(), restart.registry = registry->stats();
  return restart;
}

AveragingEstimate EstimateOf(const std::vector<Restart>& restarts, size_t Restart::*rounds) {
  std::vector<double> values;
  for (const Restart& restart : restarts) values.push_back(static_cast<double>(restart.*rounds));
  const auto [mean, variance] = MomentsOf(values);
  const auto n = static_cast<double>(values.size());
  return {mean, std::sqrt(variance * n / (n - 1))};
}

AveragingResult Summed(const AveragingRun& run, const std::vector<Restart>& restarts) {
  AveragingResult result{.fine = EstimateOf(restarts, &Restart::fine),
                         .coarse = EstimateOf(restarts, &Restart::coarse)};
  double rounds = 0;
  size_t longest = 0;
  for (const Restart& restart : restarts) {
    rounds += static_cast<double>(restart.rounds * run.peers), longest = std::max(longest, restart.rounds);
    result.messages += static_cast<double>(restart.cost.messages), result.vectors += restart.cost.vectors;
    result.requests += static_cast<double>(restart.registry.requests);
    result.registry_bytes += static_cast<double>(restart.registry.bytes);
    result.drift = std::max(result.drift, restart.drift);
  }
  for (double* sum : {&result.messages, &result.vectors, &result.requests, &result.registry_bytes})
    *sum = rounds > 0 ? *sum / rounds : 0;
  for (size_t t = 0; t <= longest; ++t) {
    double sum = 0;
    for (const Restart& restart : restarts) sum += restart.variance[std::min(t, restart.rounds)];
    result.variance.push_back(sum / static_cast<double>(restarts.size()));
  }
  return result;
}

}  // namespace

AveragingResult RunAveraging(const AveragingRun& run) {
  CheckAveraging(run);
  std::vector<Restart> restarts(run.restarts);
  ThreadPool& pool = ThreadPool::OfProcess();
  pool.Grow(run.threads);
  Lane own;
  pool.Share(run.restarts, run.threads, own, [&](size_t number, Lane&) { restarts[number] = RunOnce(run, number); });
  return Summed(run, restarts);  // in order, so that threads change no bit
}

Moments MomentsOf(std::span<const double> values) {
  Moments moments;
  const auto n = static_cast<double>(values.size());
  for (const double value : values) moments.mean += value;
  moments.mean /= n;
  for (const double value : values) moments.variance += (value - moments.mean) * (value - moments.mean);
  moments.variance /= n;
  return moments;
}

}  // namespace gradwire
