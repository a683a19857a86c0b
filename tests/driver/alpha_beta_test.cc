// SPDX-License-Identifier: Apache-2.0
#include "driver/alpha_beta.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

namespace gradwire {
namespace {

/// Example 1 of Islamov et al., NeurIPS 2024: s = x + y, f1 = s^2 / (s^2 + 1), f2 = f1(s + 1); f* at s = -1/2.
ComponentView ExampleView(double s, double shift) {
  const auto value = [&](double at) { return (at + shift) * (at + shift) / ((at + shift) * (at + shift) + 1); };
  const double t = s + shift, slope = 2 * t / ((t * t + 1) * (t * t + 1));
  const std::vector<double> x = {s, 0}, last = {-0.5, 0}, gradient = {slope, slope};
  return View<double>(x, last, gradient, value(s), value(-0.5));
}

/// The boundary of its pairs is beta = 4 alpha / 5, where s is far away.
TEST(AlphaBetaMeter, OfTheExampleEndsAtFourFifths) {
  AlphaBetaMeter seen;
  for (double s = -60; s <= 60; s += 0.01)
    for (const double shift : {0.0, 1.0}) seen.Add(ExampleView(s, shift));
  for (size_t a = 0; a < AlphaBetaMeter::Alphas().size(); ++a) {
    const double alpha = AlphaBetaMeter::Alphas()[a];
    if (alpha < 2.5) continue;
    EXPECT_LE(seen.betas()[a], 0.8 * alpha) << alpha;        // T >= 0 at (2.5, 2.0) and (3, 2.4)
    EXPECT_GT(seen.betas()[a], 0.8 * alpha - 0.1) << alpha;  // and about -0.099 at (2.5, 1.9) and (3, 2.3)
  }
  EXPECT_TRUE(seen.Holds());
  EXPECT_LT(seen.least_cosine(), 0)
      << "a component's gradient points away from the minimiser of the sum between theirs";
}

TEST(AlphaBetaMeter, OfAConvexFunctionNeedsNoBetaUpToOne) {
  AlphaBetaMeter seen;  // f = ||x||^2, whose last point is its minimiser: <grad f, x> = 2 f
  for (const double x : {-3.0, 0.5, 2.0}) {
    const std::vector<double> at = {x}, last = {0}, gradient = {2 * x};
    seen.Add(View<double>(at, last, gradient, x * x, 0));
  }
  for (size_t a = 0; a < AlphaBetaMeter::Alphas().size(); ++a)
    EXPECT_DOUBLE_EQ(seen.betas()[a], std::max(0.0, AlphaBetaMeter::Alphas()[a] - 2));
  EXPECT_DOUBLE_EQ(seen.least_cosine(), 1);
  EXPECT_DOUBLE_EQ(seen.least_pl(), 4) << "||grad f||^2 = 4 f";
}

TEST(AlphaBetaMeter, OfRanksIsThatOfAllTheirViews) {
  AlphaBetaMeter all, first, second;
  for (double s = -5; s <= 5; s += 0.37) {
    const ComponentView view = ExampleView(s, s > 0 ? 1 : 0);
    all.Add(view), (s > 1 ? first : second).Add(view);
  }
  first.Add(AlphaBetaMeter::Of(second.Numbers()));
  EXPECT_EQ(first.Numbers(), all.Numbers());
}

TEST(AlphaBetaMeter, KeepsTheWorstViewWheneverItComes) {
  const ComponentView good = ExampleView(-0.4, 0), bad = ExampleView(30, 0);
  AlphaBetaMeter first, last;
  first.Add(bad), first.Add(good);
  last.Add(good), last.Add(bad);
  EXPECT_EQ(first.Numbers(), last.Numbers());
  EXPECT_GT(first.betas().back(), 0);
}

/// No beta helps a component that cannot be lower and still lacks something.
TEST(AlphaBetaMeter, WithoutAValueThereIsNoBeta) {
  AlphaBetaMeter seen;
  seen.Add({.inner = -1, .value = 0, .gap = 0, .gradient_norm = 1, .distance = 1});
  EXPECT_TRUE(std::isinf(seen.betas()[0]));
  EXPECT_FALSE(seen.Holds());
  AlphaBetaMeter diverged;
  diverged.Add({.inner = std::nan(""), .value = 1, .gap = 1, .gradient_norm = 1, .distance = 1});
  EXPECT_FALSE(diverged.Holds());
}

}  // namespace
}  // namespace gradwire
