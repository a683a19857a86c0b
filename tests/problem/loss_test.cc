// SPDX-License-Identifier: Apache-2.0
// Laws over every loss of a linear model.
#include "problem/loss.h"

#include <cmath>

#include <gtest/gtest.h>

namespace gradwire {

void PrintTo(const Loss& loss, std::ostream* out) { *out << loss.name; }

namespace {

class Losses : public ::testing::TestWithParam<Loss> {
 protected:
  /// Predictions, and targets that the loss takes.
  template <typename Look>
  void ForPoints(const Look& look) const {
    for (double p = -8; p <= 8; p += 0.01)
      for (const double y : {-1.0, 1.0}) look(p, y);
  }
  const Loss& loss = GetParam();
};

TEST_P(Losses, SlopesAndBendsAreDerivatives) {
  ForPoints([&](double p, double y) {
    const double h = 1e-5;
    EXPECT_NEAR(loss.slope(p, y), (loss.value(p + h, y) - loss.value(p - h, y)) / (2 * h), 1e-8) << p;
    EXPECT_NEAR(loss.bend(p, y), (loss.slope(p + h, y) - loss.slope(p - h, y)) / (2 * h), 1e-8) << p;
  });
}

TEST_P(Losses, BendsReachTheirBoundsAndNoFurther) {
  double least = INFINITY, most = 0;
  ForPoints([&](double p, double y) {
    least = std::min(least, loss.bend(p, y)), most = std::max(most, std::abs(loss.bend(p, y)));
  });
  EXPECT_GE(least, loss.least_bend - 1e-15);
  EXPECT_LE(most, loss.most_bend + 1e-15);
  EXPECT_NEAR(least, loss.least_bend, 4e-4);  // the logistic loss's at p = 8
  EXPECT_NEAR(most, loss.most_bend, 1e-5);
}

TEST_P(Losses, WithClassesAreOfTheMarginAndFallAlongIt) {
  if (!loss.has_classes) return;
  ForPoints([&](double p, double y) {
    EXPECT_EQ(loss.value(p, y), loss.value(-p, -y));
    EXPECT_LT(y * loss.slope(p, y), 0);
  });
}

TEST_P(Losses, AreFiniteFarAway) {
  for (const double p : {-1e150, -1e4, 1e4, 1e150}) {
    EXPECT_TRUE(std::isfinite(loss.value(p, 1))) << p;
    EXPECT_TRUE(std::isfinite(loss.slope(p, 1))) << p;
    EXPECT_TRUE(std::isfinite(loss.bend(p, 1))) << p;
  }
}

INSTANTIATE_TEST_SUITE_P(, Losses, ::testing::ValuesIn(gradwire::Losses()),
                         [](const auto& info) { return std::string(info.param.name); });

/// MARINA's experiments bound the bend by 0.15405 (Gorbunov et al. 2021, arXiv 2102.07845).
TEST(Loss, SquaredSigmoidHasMarinasValueAndBound) {
  const Loss& loss = *FindLoss("squared_sigmoid");
  for (const double p : {-3.0, 0.0, 0.7}) {
    EXPECT_NEAR(loss.value(p, 1), std::pow(1 - 1 / (1 + std::exp(-p)), 2), 1e-15);
    EXPECT_NEAR(loss.value(p, -1), std::pow(1 - 1 / (1 + std::exp(p)), 2), 1e-15);
  }
  EXPECT_NEAR(loss.most_bend, 0.15405, 1e-5);
  EXPECT_EQ(FindLoss("hinge"), nullptr);
}

}  // namespace
}  // namespace gradwire
