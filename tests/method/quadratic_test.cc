// SPDX-License-Identifier: Apache-2.0
// The methods' known answers on the deterministic problems Q3 and QH, through the same driver that trains networks.
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace gradwire
