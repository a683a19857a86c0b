// SPDX-License-Identifier: Apache-2.0
// Newton methods on LR2 with operators of matrices, as their authors run them: Rank-1, thresholds, and maps of two
// messages.
#include <gtest/gtest.h>

#include "support/newton.h"

namespace gradwire {
namespace {

using testing::Lr2Far;
using testing::Lr2Near;
using testing::Lr2Zero;

int Rounds(std::shared_ptr<const Problem> problem, NewtonConfig newton, int steps = 60, uint64_t seed = 1) {
  return testing::Run({.problem = std::move(problem), .newton = std::move(newton), .steps = steps, .seed = seed})
      .RoundsTo(1e-10);
}

TEST(MatrixOperators, FedNLOfRankOne) {
  EXPECT_EQ(Rounds(Lr2Zero(), {.compressor = "rank:1"}), 6);
  EXPECT_EQ(Rounds(Lr2Zero(), {.compressor = "rank:1", .option = "2"}), 7);
  EXPECT_EQ(Rounds(Lr2Zero(), {.compressor = "rank:1", .alpha = "0.0513167"}), 8) << "1 - sqrt(1 - 1/d)";
}

TEST(MatrixOperators, FromFarFedNLOfRankOneConvergesWithALineSearchAndCubicSteps) {
  EXPECT_NEAR(Rounds(Lr2Far(), {.method = "fednl_ls", .compressor = "rank:1"}), 17, 1);
  EXPECT_NEAR(Rounds(Lr2Far(), {.method = "fednl_ls", .compressor = "rank:1", .init = "zero"}), 24, 1);
  EXPECT_EQ(Rounds(Lr2Far(), {.method = "fednl_cr", .compressor = "rank:1", .cubic = testing::kLr2Cubic}, 100), 64);
}

TEST(MatrixOperators, FedNLOfRankOneWithSomeWorkersOrBothWays) {
  EXPECT_EQ(Rounds(Lr2Near(), {.method = "fednl_pp", .compressor = "rank:1", .participation = "all"}), 8);
  for (const uint64_t seed : {1, 2, 3}) {
    EXPECT_LE(Rounds(Lr2Near(), {.method = "fednl_pp", .compressor = "rank:1", .participation = "nice:40%"}, 100, seed),
              80);
    EXPECT_LE(Rounds(Lr2Near(), {.method = "fednl_bc", .compressor = "rank:1", .model = "topk:5"}, 60, seed), 50);
    EXPECT_LE(Rounds(Lr2Near(), {.method = "newton_3pc_bc", .compressor = "rank:1", .model = "topk:5"}, 60, seed), 50);
  }
}

TEST(MatrixOperators, Newton3PCOfThresholdsAndOfTwoMessages) {
  EXPECT_EQ(Rounds(Lr2Zero(), {.method = "newton_3pc", .compressor = "adaptive:0.5"}), 5);
  EXPECT_EQ(Rounds(Lr2Zero(), {.method = "newton_3pc", .map = "3pcv1", .compressor = "topk:6"}), 4);
  EXPECT_EQ(Rounds(Lr2Zero(), {.method = "newton_3pc", .compressor = "then(topk:6,topk:6)"}), 5) << "3PCv4";
  EXPECT_LE(Rounds(Lr2Zero(), {.method = "newton_3pc", .map = "adaptive_topk", .compressor = "topk:6:counted"}), 15);
}

/// CBAG of Hessians, 3PCv4 of models.
TEST(MatrixOperators, BothWaysByOtherMaps) {
  for (const uint64_t seed : {1, 2, 3})
    EXPECT_LE(Rounds(Lr2Near(),
                     {.method = "newton_3pc_bc",
                      .map = "cbag",
                      .compressor = "rank:1",
                      .model = "then(topk:3,topk:2)",
                      .gradient_p = 0.75},
                     60, seed),
              33);
}

}  // namespace
}  // namespace gradwire
