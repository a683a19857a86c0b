// SPDX-License-Identifier: Apache-2.0
// The methods' known answers on the deterministic problems Q3 and QH, through the same driver that trains networks.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include <gtest/gtest.h>

#include "problem/quadratic.h"
#include "support/convex.h"

namespace gradwire {
namespace {

using testing::Comm;

/// Full gradients on a problem; fails where two workers' points differ in a bit at the end.
testing::ConvexTrace Descend(Problem problem, const CommConfig& comm, double lr, int steps) {
  const auto trace = testing::Run({std::make_shared<Problem>(std::move(problem)), comm, lr, steps});
  EXPECT_TRUE(trace.replicas_agree);
  return trace;
}

/// Mean of the last quarter.
double LateMean(const std::vector<double>& distances) {
  const auto first = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() * 3 / 4);
  return std::accumulate(first, distances.end(), 0.0) / static_cast<double>(distances.end() - first);
}

TEST(Quadratic, GradientDescentOnQhFollowsTheReference) {  // a run of the recursion in numpy, apart from this code
  EXPECT_NEAR(Descend(QH(), Comm("none", "identity"), 0.1, 10).distances.back(), 1.4322620843962705e-3, 1e-14);
  const auto trace = Descend(QH(), Comm("none", "identity"), 1 / 6.447368421052632, 25);
  EXPECT_EQ(trace.RoundsTo(1e-10), 19);
  EXPECT_NEAR(trace.distances[0], 1.2076515226342595, 1e-14);  // ||x*||
}

/// Beznosikov et al. 2023, arXiv 2002.12410, example 1: x^k = (1 + 11 gamma / 6)^k x^0.
TEST(Quadratic, TopOneWithoutFeedbackDivergesAtItsExactRate) {
  const auto trace = Descend(Q3(), Comm("dcgd", "topk:1"), 0.05, 50);
  const double expected = std::pow(1 + 11 * 0.05 / 6, 50);
  EXPECT_NEAR(expected, 80.26061448226, 1e-10);
  for (const double coordinate : trace.x) EXPECT_NEAR(coordinate / expected, 1, 1e-12);
  EXPECT_NEAR(trace.distances.back() / (std::sqrt(3.0) * expected), 1, 1e-12);
}

TEST(Quadratic, ErrorFeedbackCuresTopOneOnQ3) {  // reference runs of 977 and 324 rounds, in numpy
  EXPECT_NEAR(Descend(Q3(), Comm("ef", "topk:1"), 0.02, 1100).RoundsTo(1e-10), 977, 2);
  EXPECT_NEAR(Descend(Q3(), Comm("ef", "topk:1"), 0.05, 400).RoundsTo(1e-10), 324, 2);
}

TEST(Quadratic, ErrorFeedbackAroundIdentityIsGradientDescentBitForBit) {  // scaling by a power of two is exact
  EXPECT_EQ(Descend(Q3(), Comm("ef", "identity"), 0x1p-6, 200).x,
            Descend(Q3(), Comm("none", "identity"), 0x1p-6, 200).x);
}

/// The distance after 10 rounds is deterministic, a reference run's in numpy.
TEST(Quadratic, ErrorFeedbackStallsAtANeighbourhoodOnQh) {
  const auto coarse = Descend(QH(), Comm("ef", "topk:2"), 0.02, 2000);
  EXPECT_NEAR(coarse.distances[10], 0.7152104549953866, 1e-12);
  // The point wanders in the neighbourhood: the reference (0.4995, 0.0417) is one point of it.
  EXPECT_NEAR(LateMean(coarse.distances), 0.4995, 0.1);
  EXPECT_NEAR(LateMean(Descend(QH(), Comm("ef", "topk:2"), 0.002, 8000).distances), 0.0417, 0.01);
}

/// Without memory: Horvath & Richtarik 2021, arXiv 2006.11077. All gradients vanish at x*, and so does the noise of
/// operators that are unbiased. Rounds to 1e-10 with gamma = 0.02 in 2000 runs in numpy: 983.5, deviation 34.5, and
/// 929.1, deviation 72.2.
TEST(Quadratic, UnbiasedOperatorsCureTopOneOnQ3AsWell) {
  constexpr int kSeeds = 8;
  for (const auto& [compressor, rounds, deviation] :
       {std::tuple{"induced(topk:1,randk:1)", 983.5, 34.5}, {"nu_rand1", 929.1, 72.2}}) {
    double mean = 0;
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      const testing::ConvexTrial trial{.problem = std::make_shared<Problem>(Q3()),
                                       .comm = Comm("dcgd", compressor),
                                       .lr = 0.02,
                                       .steps = 1400,
                                       .seed = seed};
      mean += static_cast<double>(testing::Run(trial).RoundsTo(1e-10)) / kSeeds;
    }
    EXPECT_NEAR(mean, rounds, 4.5 * deviation / std::sqrt(kSeeds)) << compressor;
  }
}

/// Khirirat et al. 2023, arXiv 2305.18929: a gradient of length 13 that never changes is known after 13 rounds of
/// clipping to length 1, each of which adds a piece of length 1 to what is known.
TEST(Quadratic, Clip21KnowsAConstantGradientAfterAsManyRoundsAsItIsLong) {
  Problem problem;
  problem.workers = {MakeQuadratic(std::vector<double>(9), {-3, -4, -12}, {0, 0, 0})};
  problem.start = {0, 0, 0};
  problem.minimiser = {{0, 0, 0}, 0};  // there is none: distances are those from the start
  const auto trace = Descend(problem, Comm("clip21", "clip:1"), 1, 20);
  for (size_t k = 0; k < 20; ++k)
    EXPECT_NEAR(trace.distances[k + 1] - trace.distances[k], std::min<double>(static_cast<double>(k) + 1, 13), 1e-12)
        << k;
  const std::vector<double> expected = {-14 * 3.0, -14 * 4.0, -14 * 12.0};  // 1 + ... + 13 + 7 * 13 = 14 * 13
  for (size_t j = 0; j < 3; ++j) EXPECT_NEAR(trace.x[j], expected[j], 1e-12);
}

}  // namespace
}  // namespace gradwire
