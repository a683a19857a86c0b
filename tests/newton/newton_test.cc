// SPDX-License-Identifier: Apache-2.0
// Newton's method and its kin that learn nothing, on LR2.
#include <gtest/gtest.h>

#include "support/newton.h"

namespace gradwire {
namespace {

using testing::Lr2Far;
using testing::Lr2Near;
using testing::Lr2Zero;
using testing::NewtonTrace;

TEST(Newton, OfWholeHessiansConvergesQuadratically) {
  const NewtonTrace trace = testing::Run({.problem = Lr2Zero(), .newton = {.method = "newton"}, .steps = 6});
  EXPECT_EQ(trace.RoundsTo(1e-10), 3);
  EXPECT_LT(trace.distances.back(), 1e-15);
}

/// ||x+ - x*|| <= (M / 2 mu) ||x - x*||^2 (Islamov, Qian & Richtarik 2021, arXiv 2102.07158, theorem 2).
TEST(Newton, WithTheHessianAtTheSolutionConvergesQuadratically) {
  const NewtonTrace trace = testing::Run({.problem = Lr2Near(), .newton = {.method = "newton_star"}, .steps = 6});
  EXPECT_EQ(trace.RoundsTo(1e-10), 4);
  EXPECT_NEAR(trace.distances[1], 2.7e-2, 0.05e-2);
  EXPECT_NEAR(trace.distances[2], 3.3e-4, 0.05e-4);
  EXPECT_NEAR(trace.distances[3], 5.5e-8, 0.05e-8);
  for (size_t k = 0; k + 1 < 4; ++k)
    EXPECT_LE(trace.distances[k + 1], testing::kLr2Cubic / (2 * 0.01) * trace.distances[k] * trace.distances[k]);
}

TEST(Newton, WithTheFirstHessiansConvergesLinearly) {
  const NewtonTrace trace = testing::Run({.problem = Lr2Near(), .newton = {.method = "newton_zero"}, .steps = 40});
  EXPECT_EQ(trace.RoundsTo(1e-10), 28);
  for (size_t k = 6; k < 28; ++k) {
    const double rate = trace.distances[k + 1] / trace.distances[k];
    EXPECT_GT(rate, 0.3) << k;
    EXPECT_LT(rate, 0.6) << k;
  }
}

/// Once, and nothing but gradients afterwards.
TEST(Newton, FirstHessiansAreSentOnce) {
  const auto bits = [](int steps) {
    return testing::Run({.problem = Lr2Near(), .newton = {.method = "newton_zero"}, .steps = steps}).sent[0].paper_bits;
  };
  EXPECT_EQ(bits(1), (10 + 55) * 32u);
  EXPECT_EQ(bits(5), (5 * 10 + 55) * 32u);
}

TEST(Newton, SendsAGradientAndATriangleARound) {
  const NewtonTrace trace = testing::Run({.problem = Lr2Zero(), .newton = {.method = "newton"}, .steps = 7});
  for (const ExchangeStats& stats : trace.sent) EXPECT_EQ(stats.paper_bits, 7 * (10 + 55) * 32u);
  EXPECT_EQ(trace.received[0].paper_bits, 7 * 10 * 32u) << "the server's points";
  EXPECT_EQ(trace.counts[0].passes(), 14u);
}

TEST(Newton, FromFarDiverges) {
  const NewtonTrace trace = testing::Run({.problem = Lr2Far(), .newton = {.method = "newton"}, .steps = 100});
  EXPECT_EQ(trace.RoundsTo(1), -1);
  EXPECT_FALSE(trace.distances.back() < 10);
}

}  // namespace
}  // namespace gradwire
