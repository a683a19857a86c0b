// SPDX-License-Identifier: Apache-2.0
// Laws of the shifts of model rounds, step by step.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "support/convex.h"

namespace gradwire {
namespace {

using testing::Comm;
using testing::ConvexTrace;
using testing::ConvexTrial;

/// What the workers' shifts were after each step, and whether it was an agreement.
struct Shifts {
  std::vector<std::vector<std::vector<double>>> of_workers;  // by worker and step
  std::vector<bool> agreed;
};

/// ProxSkip (arXiv 2202.09357) with gradient_p {1}, else GradSkip (arXiv 2210.16402), on QK.
Shifts RunSkip(std::vector<double> gradient_p, int steps) {
  const auto problem = std::make_shared<Problem>(QK());
  const LocalConfig config{.random = 1 / std::sqrt(1000.0), .shift = "skip", .gradient_p = std::move(gradient_p)};
  Shifts shifts{.of_workers = decltype(Shifts::of_workers)(problem->workers.size())};
  testing::RunRanks(static_cast<int>(problem->workers.size()), [&](Collective& collective) {
    const auto rank = static_cast<size_t>(collective.rank());
    ConvexWorker f(problem, rank);
    Exchange<double> exchange(collective, f.parameters(), MakeParts(Comm("none", "identity"), 1));
    DirectSink<double> sink(exchange);
    ModelRounds<double> rounds(f, sink, config, 1, static_cast<uint32_t>(rank));
    for (int step = 0; step < steps; ++step) {
      const bool agreed = rounds.Step({static_cast<uint64_t>(step), 1e-3});
      shifts.of_workers[rank].push_back(rounds.Save().shift);
      if (rank == 0) shifts.agreed.push_back(agreed);
    }
  });
  return shifts;
}

/// ||sum_i h_i|| / max_i ||h_i|| after a step.
double Drift(const Shifts& shifts, size_t step) {
  const auto norm = [](const std::vector<double>& x) {
    return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
  };
  std::vector<double> sum(shifts.of_workers[0][step].size());
  double largest = 0;
  for (const auto& of_worker : shifts.of_workers) {
    for (size_t j = 0; j < sum.size(); ++j) sum[j] += of_worker[step][j];
    largest = std::max(largest, norm(of_worker[step]));
  }
  return largest > 0 ? norm(sum) / largest : 0;
}

/// Else the workers' mean would drift away from the solution.
TEST(SkippedShifts, OfProxSkipAddUpToZeroAfterEveryStep) {
  const Shifts shifts = RunSkip({1}, 1000);
  EXPECT_GT(std::ranges::count(shifts.agreed, true), 15);
  for (size_t k = 0; k < shifts.agreed.size(); ++k) ASSERT_LT(Drift(shifts, k), 1e-12) << k;
}

/// In between, a worker that rests has its gradient as its shift.
TEST(SkippedShifts, OfGradSkipAddUpToZeroAtEveryAgreement) {
  const Shifts shifts = RunSkip({1, 0.8}, 1000);
  double between = 0;
  for (size_t k = 0; k < shifts.agreed.size(); ++k) {
    if (shifts.agreed[k])
      ASSERT_LT(Drift(shifts, k), 1e-12) << k;
    else
      between = std::max(between, Drift(shifts, k));
  }
  EXPECT_GT(between, 0.01) << "nobody has rested";
}

/// S-Local-SVRG (arXiv 2011.02828, algorithm 32) that agrees after every step is L-SVRG with an anchor that all workers
/// have in common: their mean gradients at it are the gradient there, so that the mean of their steps is L-SVRG's.
TEST(SLocalSvrg, ThatAgreesAfterEveryStepIsLsvrgWithACommonCoin) {
  const auto problem = std::make_shared<Problem>(LR());  // of QH's samples an anchor takes off all noise
  ConvexTrial trial{problem, Comm("none", "identity"), 0.05, 400};
  trial.estimator.name = "lsvrg", trial.estimator.coin = "common", trial.estimator.anchor_period = 8;
  const ConvexTrace lsvrg = testing::Run(trial);
  trial.estimator = {}, trial.estimator.name = "anchored";
  trial.local = LocalConfig{.random = 1, .shift = "anchor", .anchor_p = 1.0 / 8};
  const ConvexTrace local = testing::Run(trial);
  for (size_t k = 0; k < lsvrg.distances.size(); ++k) EXPECT_NEAR(local.distances[k], lsvrg.distances[k], 1e-13) << k;
  EXPECT_LT(lsvrg.distances.back(), 0.5 * lsvrg.distances.front());
}

}  // namespace
}  // namespace gradwire
