// SPDX-License-Identifier: Apache-2.0
// Newton-3PC (Islamov, Qian, Hanzely, Safaryan & Richtarik 2023, arXiv 2206.03588) on LR2: Hessians through three-point
// compressors, at the new point before the step from it.
#include <gtest/gtest.h>

#include "support/newton.h"

namespace gradwire {
namespace {

using testing::Lr2Far;
using testing::Lr2Near;
using testing::Lr2Zero;
using testing::NewtonTrace;
using testing::RoundsOf;

TEST(Newton3PC, EveryDeterministicMapConvergesAsItsAuthorsDoes) {
  EXPECT_EQ(RoundsOf(Lr2Zero(), {.method = "newton_3pc", .map = "ef21", .compressor = "topk:6"}), 6);
  EXPECT_EQ(RoundsOf(Lr2Zero(), {.method = "newton_3pc", .map = "clag", .compressor = "topk:6", .zeta = "2"}), 6);
  EXPECT_EQ(RoundsOf(Lr2Zero(), {.method = "newton_3pc", .map = "lag", .compressor = "identity"}), 4);
}

TEST(Newton3PC, EveryRandomMapConverges) {
  for (const uint64_t seed : {1, 2, 3, 4}) {
    EXPECT_LE(RoundsOf(Lr2Zero(), {.method = "newton_3pc", .map = "cbag", .compressor = "topk:6"}, 40, seed), 15);
    EXPECT_LE(
        RoundsOf(Lr2Zero(), {.method = "newton_3pc", .map = "3pcv2", .compressor = "topk:6", .learner = "randk:10"}, 40,
                 seed),
        15);
    EXPECT_LE(
        RoundsOf(Lr2Zero(), {.method = "newton_3pc", .map = "marina", .compressor = "randk:10", .p = "0.2"}, 40, seed),
        15);
  }
}

/// ||x^k - x*||^2 <= 2^-k ||x^0 - x*||^2 (theorem 4.2).
TEST(Newton3PC, HalvesTheSquaredDistanceInEveryRound) {
  for (const char* map : {"ef21", "cbag", "clag"}) {
    const NewtonTrace trace = testing::Run(
        {.problem = Lr2Zero(), .newton = {.method = "newton_3pc", .map = map, .compressor = "topk:6"}, .steps = 12});
    for (size_t k = 0; k < 12; ++k)
      EXPECT_LE(trace.distances[k], std::pow(2, -0.5 * static_cast<double>(k)) * trace.distances[0] + 1e-15);
  }
}

/// Bernoulli aggregation: with probability 1 - p a worker need not even compute its Hessian; with option 2, whose error
/// it has to know, it does.
TEST(Newton3PC, AWorkerWhoseCoinIsTailsComputesNoHessian) {
  NewtonConfig newton = {.method = "newton_3pc", .map = "cbag", .compressor = "topk:6"};
  const NewtonTrace trace = testing::Run({.problem = Lr2Zero(), .newton = newton, .steps = 401});
  double all = 0;
  for (const NewtonWorker::Counts& counts : trace.counts) all += static_cast<double>(counts.hessians - 1);
  EXPECT_NEAR(all / (5 * 400), 0.75, 3 * std::sqrt(0.75 * 0.25 / 2000));
  for (const NewtonWorker::Counts& counts : testing::Run({.problem = Lr2Zero(), .newton = newton, .steps = 1}).counts)
    EXPECT_EQ(counts.hessians, 1u) << "the opening is of all";
  newton.option = "2";
  const NewtonTrace shifted = testing::Run({.problem = Lr2Zero(), .newton = newton, .steps = 50});
  EXPECT_EQ(shifted.counts[0].hessians, 50u);
}

/// Of those that it computes, all that the gate lets through, and no other: the estimates are those of coins in Send.
TEST(Newton3PC, SparedHessiansChangeNothing) {
  NewtonConfig newton = {.method = "newton_3pc", .map = "cbag", .compressor = "topk:6"};
  const NewtonTrace spared = testing::Run({.problem = Lr2Zero(), .newton = newton, .steps = 12});
  newton.p = "1";
  const NewtonTrace all = testing::Run({.problem = Lr2Zero(), .newton = newton, .steps = 12});
  EXPECT_LT(spared.counts[0].hessians, 12u);
  EXPECT_EQ(all.counts[0].hessians, 12u);
  EXPECT_LT(spared.sent[0].paper_bits, all.sent[0].paper_bits);
}

TEST(Newton3PC, FromFarALineSearchAndCubicStepsConverge) {
  EXPECT_LE(RoundsOf(Lr2Far(), {.method = "newton_3pc_ls", .compressor = "topk:6"}), 30);
  EXPECT_LE(RoundsOf(Lr2Far(), {.method = "newton_3pc_cr", .compressor = "topk:6", .cubic = testing::kLr2Cubic}, 120),
            100);
}

TEST(Newton3PC, BothWaysThroughMapsConverge) {
  for (const uint64_t seed : {1, 2, 3}) {
    EXPECT_LE(RoundsOf(Lr2Near(), {.method = "newton_3pc_bc", .compressor = "topk:6", .model = "topk:5"}, 60, seed),
              50);
    EXPECT_LE(
        RoundsOf(
            Lr2Near(),
            {.method = "newton_3pc_bc", .map = "cbag", .compressor = "topk:6", .model = "topk:5", .gradient_p = 0.75},
            60, seed),
        50);
  }
}

TEST(Newton3PC, BothWaysWithSomeWorkersARoundConverge) {
  for (const uint64_t seed : {1, 2, 3})
    EXPECT_LE(
        RoundsOf(Lr2Near(),
                 {.method = "newton_3pc_bc_pp", .compressor = "topk:6", .model = "topk:5", .participation = "nice:40%"},
                 250, seed),
        200);
}

/// A worker that takes part without a gradient sends none, and one that rests nothing.
TEST(Newton3PC, ReportsWithoutAGradientSendNone) {
  const NewtonTrace trace = testing::Run(
      {.problem = Lr2Near(),
       .newton = {.method = "newton_3pc_bc_pp", .compressor = "topk:6", .gradient_p = 0.4, .participation = "nice:40%"},
       .steps = 60});
  for (size_t i = 0; i < 5; ++i) {
    const uint64_t reports = trace.counts[i].hessians - 1, gradients = trace.counts[i].gradients;
    EXPECT_LT(gradients, reports) << i;
    EXPECT_EQ(trace.sent[i].paper_bits, (55 + 1) * 32 + reports * (6 * (32 + 6) + 32) + gradients * 10 * 32) << i;
  }
}

}  // namespace
}  // namespace gradwire
