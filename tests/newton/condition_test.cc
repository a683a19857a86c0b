// SPDX-License-Identifier: Apache-2.0
// What FedNL is for: its local rate knows no condition number (Safaryan, Islamov, Qian & Richtarik 2022, arXiv
// 2106.02969), and that of gradient descent is made of it. The samples of LR2 with column j times 10^(-e j / 9), whose
// mean Hessian at x* has condition numbers 1.8, 13 and 109 for e = 0, 1/2 and 1; rounds to 1e-10 from x* + 0.1 cos(j),
// as numpy has them.
#include <cmath>

#include <gtest/gtest.h>

#include "support/newton.h"

namespace gradwire {
namespace {

std::shared_ptr<const Problem> Stretched(double decades) {
  auto rows = std::make_shared<LabelledRows>(*LRSamples(3));
  for (size_t k = 0; k < rows->value.size(); ++k) rows->value[k] *= std::pow(10.0, -decades * rows->column[k] / 9);
  Problem problem = LogisticRegression(rows, 5, 1e-3, Regulariser::kRidge);
  problem.start = problem.minimiser->x;
  for (size_t j = 0; j < problem.start.size(); ++j) problem.start[j] += 0.1 * std::cos(static_cast<double>(j));
  return std::make_shared<const Problem>(std::move(problem));
}

int RoundsOfGradientDescent(const Problem& problem) {
  std::vector<double> x = problem.start;
  for (int k = 0; k < 5000; ++k) {
    if (problem.Distance(x) <= 1e-10) return k;
    const std::vector<double> gradient = problem.Gradient(x);
    for (size_t j = 0; j < x.size(); ++j) x[j] -= gradient[j] / problem.smoothness;
  }
  return -1;
}

TEST(FedNL, ItsRateKnowsNoConditionNumber) {
  const std::pair<double, int> gradient_descent[] = {{0, 22}, {0.5, 254}, {1, 2261}};
  for (const auto& [decades, rounds] : gradient_descent) {
    const auto problem = Stretched(decades);
    EXPECT_EQ(testing::Run({.problem = problem, .newton = {.compressor = "topk:10"}}).RoundsTo(1e-10), 8) << decades;
    EXPECT_EQ(RoundsOfGradientDescent(*problem), rounds) << decades;
  }
}

}  // namespace
}  // namespace gradwire
