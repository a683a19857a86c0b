// SPDX-License-Identifier: Apache-2.0
#include "problem/dense.h"

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

namespace gradwire {
namespace {

TEST(Dense, ExtremeEigenvaluesOfTheSecondDifferenceMatrix) {  // 2 - 2 cos(k pi / (d + 1)), k = 1..d
  for (const size_t d : {1, 2, 3, 10, 50}) {
    std::vector<double> a(d * d);
    for (size_t i = 0; i < d; ++i) {
      a[i * d + i] = 2;
      if (i + 1 < d) a[i * d + i + 1] = a[(i + 1) * d + i] = -1;
    }
    const auto [low, high] = ExtremeEigenvalues(a, d);
    const double angle = std::numbers::pi / static_cast<double>(d + 1);
    EXPECT_NEAR(low, 2 - 2 * std::cos(angle), 1e-14);
    EXPECT_NEAR(high, 2 - 2 * std::cos(static_cast<double>(d) * angle), 1e-14);
  }
}

TEST(Dense, ExtremeEigenvaluesOfRankOneAndZero) {  // v v^T: ||v||^2 once and 0
  const std::vector<double> v = {1, -2, 0, 3};
  std::vector<double> a(16);
  for (size_t i = 0; i < 4; ++i)
    for (size_t j = 0; j < 4; ++j) a[i * 4 + j] = v[i] * v[j];
  const auto [low, high] = ExtremeEigenvalues(a, 4);
  EXPECT_NEAR(low, 0, 1e-14);
  EXPECT_NEAR(high, 14, 1e-13);
  EXPECT_NEAR(ExtremeEigenvalues(std::vector<double>(9), 3).second, 0, 1e-300);
}

TEST(Dense, SolvePositiveSolvesOrRefuses) {
  const std::vector<double> x = SolvePositive({4, 2, 2, 3}, {2, 5});
  ASSERT_EQ(x.size(), 2u);
  EXPECT_NEAR(x[0], -0.5, 1e-15);
  EXPECT_NEAR(x[1], 2, 1e-15);
  EXPECT_TRUE(SolvePositive({1, 2, 2, 1}, {1, 1}).empty());
}

}  // namespace
}  // namespace gradwire
