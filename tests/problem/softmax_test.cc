// SPDX-License-Identifier: Apache-2.0
// The softmax problem: its constants by hand, its minimiser, its limits.
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "problem/dense.h"
#include "problem/problem.h"

namespace gradwire {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<const LabelledRows> TwoRows(double distance) {  // in R^1: +distance with target 0, -distance with 0
  auto rows = std::make_shared<LabelledRows>();
  rows->Append({distance}, 0);
  rows->Append({-distance}, 0);
  return rows;
}

/// sigma log(exp(a x / sigma) + exp(-a x / sigma)) + lambda x^2 / 2, whose second derivative at 0 is a^2 / sigma +
/// lambda, its largest.
TEST(Softmax, OfTwoRowsByHand) {
  const Problem problem = SoftmaxProblem(TwoRows(3), 1, 0.5, 0.25);
  EXPECT_NEAR(problem.smoothness, 9 / 0.5 + 0.25, 1e-13);
  EXPECT_EQ(problem.strong_convexity, 0.25);
  EXPECT_EQ(problem.minimiser->x, std::vector<double>{0});
  EXPECT_NEAR(problem.minimiser->value, 0.5 * std::log(2), 1e-15);
  std::vector<double> hessian(1);
  problem.workers[0]->AddPackedHessian(std::vector<double>{0}, 1, hessian);
  EXPECT_NEAR(hessian[0], 9 / 0.5 + 0.25, 1e-13);
  const double x = 0.7, e = std::exp(3 * x / 0.5);
  EXPECT_NEAR(problem.Value(std::vector<double>{x}), 0.5 * std::log(e + 1 / e) + 0.125 * x * x, 1e-14);
}

TEST(Softmax, EveryWorkersMinimiserIsZero) {
  const Problem problem = SoftmaxProblem(LRSamples(3), 5, 0.5, 0.01);
  EXPECT_EQ(problem.minimiser->x, std::vector<double>(10));
  for (const auto& f : problem.workers) {
    std::vector<double> gradient(10);
    f->Gradient(problem.minimiser->x, gradient);
    EXPECT_EQ(Norm(gradient), 0);
  }
  EXPECT_NEAR(Norm(problem.start), 1, 1e-15);
  EXPECT_GT(problem.Value(problem.start), problem.minimiser->value + 0.1);
}

TEST(Softmax, FarPointsDoNotOverflow) {
  const Problem problem = SoftmaxProblem(TwoRows(3), 1, 0.001, 1);
  EXPECT_NEAR(problem.Value(std::vector<double>{-1000}), 3000 + 0.5e6, 1e-9);  // the maximum, and the ridge
}

TEST(Softmax, WantsARidge) {
  try {
    SoftmaxProblem(TwoRows(3), 1, 1, 0);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("expected objective.lambda above 0"));
  }
}

}  // namespace
}  // namespace gradwire
