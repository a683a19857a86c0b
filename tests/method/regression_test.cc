// SPDX-License-Identifier: Apache-2.0
// DORE's experiment, smaller: least squares on Gaussian samples, with full gradients.
#include <gtest/gtest.h>

#include "support/convex.h"

namespace gradwire {
namespace {

/// The least distance of the last hundred rounds.
double Floor(const CommConfig& comm) {
  static const auto problem = std::make_shared<const Problem>(
      LinearProblem(GaussianSamples(80, 20), 4, *FindLoss("least_squares"), /*lambda=*/0.01));
  testing::ConvexTrial trial{std::const_pointer_cast<Problem>(problem), comm, 0.5 / problem->smoothness, 1200};
  const std::vector<double> distances = testing::Run(trial).distances;
  return *std::min_element(distances.end() - 100, distances.end());
}

/// Liu et al., AISTATS 2020, arXiv 1910.07561, figure 1: with full gradients DORE and DIANA converge linearly, and
/// methods whose residuals see the workers' disagreement stop at a neighbourhood.
TEST(Regression, DoreAndDianaReachTheSolutionAndResidualsStop) {
  EXPECT_LT(Floor(testing::Comm("none", "identity")), 1e-10);
  EXPECT_LT(Floor(testing::Comm("diana", "terngrad")), 1e-10);
  EXPECT_LT(Floor(testing::Comm("dore", "terngrad")), 1e-10);
  EXPECT_GT(Floor(testing::Comm("dcgd", "terngrad")), 1e-6);
  EXPECT_GT(Floor(testing::Comm("ef", "sign")), 1e-6);
  EXPECT_GT(Floor(testing::Comm("doublesqueeze", "topk:5")), 1e-6);
}

}  // namespace
}  // namespace gradwire
