// SPDX-License-Identifier: Apache-2.0
// diana_dq, DIANAsr-DQ of Gorbunov et al. 2020, arXiv 2010.12292: diana with the mean compressed on its way back. Its
// rate with full gradients is one of rows_test.cc.
#include <numeric>

#include <gtest/gtest.h>

#include "support/convex.h"
#include "support/measured_laws.h"

namespace gradwire {
namespace {

using testing::Comm;
using testing::ConvexTrial;

CommConfig DianaDq(const char* down) {
  CommConfig comm = Comm("diana_dq", "randk:2");
  comm.down_compressor = down;
  return comm;
}

/// Whatever the shifts have learned meanwhile, each step has the gradient as its mean.
TEST(DianaDq, StepsOnTheMeanAlongTheGradient) {
  const auto problem = std::make_shared<Problem>(QH());
  const std::vector<double> expected = problem->Gradient(problem->start);
  EstimatorConfig config;
  config.name = "sgd", config.sampling = "importance";
  std::vector<testing::Mean> steps(problem->dimension());
  testing::RunRanks(10, [&](Collective& collective) {
    const auto rank = static_cast<size_t>(collective.rank());
    ConvexWorker f(problem, rank, MakeEstimator(config, problem, rank, 1));
    Exchange<double> exchange(collective, f.parameters(), MakeParts(DianaDq("randk:10"), 1));
    DirectSink<double> sink(exchange);
    for (uint64_t step = 0; step < 2000; ++step) {
      f.Gradient({step, 0.01}, sink);
      for (size_t j = 0; rank == 0 && j < steps.size(); ++j) steps[j].Add(f.gradient()[0][j]);
    }
  });
  for (size_t j = 0; j < steps.size(); ++j) {
    EXPECT_NEAR(steps[j].mean(), expected[j], 5 * steps[j].error()) << j;
    EXPECT_LT(steps[j].error(), 0.15) << j;
  }
}

/// The mean distance of 1000 rounds from round 500 on, single samples, gamma = 1/128. References: means of 50 runs in
/// numpy, 0.5108 and with identity on the way back 0.3537; a run's deviation from them is 0.0122 and 0.0090.
TEST(DianaDq, KeepsTheNoiseOfSingleSamplesAndOfBothQuantisers) {
  for (const auto& [down, mean, deviation] : {std::tuple{"randk:10", 0.5108, 0.0122}, {"identity", 0.3537, 0.0090}}) {
    ConvexTrial trial{std::make_shared<Problem>(QH()), DianaDq(down), 1.0 / 128, 1500};
    trial.estimator.name = "sgd";
    const auto trace = testing::Run(trial);
    EXPECT_TRUE(trace.replicas_agree);
    EXPECT_NEAR(std::accumulate(trace.distances.begin() + 501, trace.distances.end(), 0.0) / 1000, mean,
                4.5 * deviation)
        << down;
  }
}

}  // namespace
}  // namespace gradwire
