// SPDX-License-Identifier: Apache-2.0
#include "analysis/ensemble.h"

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

/// Ornstein & Uhlenbeck: dY = -a Y dt + s dW, whose moments are known at every time.
Sde OrnsteinUhlenbeck(double a, double s, double start) {
  return {.size = 1,
          .begin = [=](std::span<double> y) { y[0] = start; },
          .coefficients = [=](double, std::span<const double> y, std::span<double> drift,
                              std::span<double> diffusion) { drift[0] = -a * y[0], diffusion[0] = s; }};
}

/// Euler and Maruyama's chain has moments of its own: y <- (1 - a dt) y + s sqrt(dt) xi.
TEST(Ensemble, EulerMaruyamaHasTheMomentsOfItsChain) {
  const double a = 2, s = 0.5, dt = 0.05, start = 1.5;
  const EulerMaruyama process(OrnsteinUhlenbeck(a, s, start), dt);
  const Ensemble ensemble(process, {3}, {.paths = 20000, .recorded = {0, 5, 40}});
  EXPECT_EQ(ensemble.times(), (std::vector<double>{0, 5 * dt, 40 * dt}));
  const double shrink = 1 - a * dt;
  for (size_t i = 0; i < 3; ++i) {
    const double steps = std::vector<double>{0, 5, 40}[i];
    const double mean = start * std::pow(shrink, steps),
                 variance = s * s * dt * (1 - std::pow(shrink, 2 * steps)) / (1 - shrink * shrink);
    const auto near = [&](Quantity quantity, double expected) {
      const Estimate found = ensemble.At(i, quantity);
      EXPECT_NEAR(found.value, expected, 4.5 * found.error + 1e-12) << NameOf(quantity) << " at " << steps;
    };
    near(Quantity::kMean, mean);
    near(Quantity::kVariance, variance);
    near(Quantity::kSecond, variance + mean * mean);
    near(Quantity::kLoss, 3 * (variance + mean * mean) / 2);
  }
  EXPECT_EQ(ensemble.At(0, Quantity::kVariance).error, 0) << "all paths begin alike";
}

/// Of 20000 independent paths the standard errors are sd / sqrt(20000) and sqrt(2 / 20000) of the variance; 64 groups
/// tell them within 9 % (one sigma).
TEST(Ensemble, StandardErrorsAreThoseOfIndependentPaths) {
  const double stationary = 0.25 / 2;  // s^2 / (2 a), within a few per cent at this dt
  const EulerMaruyama process(OrnsteinUhlenbeck(1, 0.5, 0), 0.02);
  const Ensemble ensemble(process, {1}, {.paths = 20000, .recorded = {300}});
  EXPECT_NEAR(ensemble.At(0, Quantity::kMean).error / std::sqrt(stationary / 20000), 1, 0.4);
  EXPECT_NEAR(ensemble.At(0, Quantity::kVariance).error / (stationary * std::sqrt(2.0 / 20000)), 1, 0.4);
}

/// Values at neighbouring times are nearly the same number: their mean has nearly the error of one, and not of many.
TEST(Ensemble, ErrorsOfMeansOverTimeKnowThatTimesDepend) {
  const EulerMaruyama process(OrnsteinUhlenbeck(1, 1, 0), 0.001);
  const Ensemble ensemble(process, {1}, {.paths = 2000, .recorded = {1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007}});
  const double one = ensemble.At(0, Quantity::kSecond).error;
  EXPECT_NEAR(ensemble.Average(0, 7, Quantity::kSecond).error / one, 1, 0.1);
}

TEST(Ensemble, ThreadsChangeNoBitAndSeedsAndStreamsDo) {
  const EulerMaruyama process(OrnsteinUhlenbeck(1, 1, 0), 0.01);
  const auto mean = [&](uint64_t seed, uint32_t stream, size_t threads) {
    return Ensemble(process, {1}, {.paths = 500, .seed = seed, .stream = stream, .threads = threads, .recorded = {20}})
        .At(0, Quantity::kMean)
        .value;
  };
  EXPECT_EQ(mean(1, 0, 1), mean(1, 0, 3));
  EXPECT_NE(mean(1, 0, 1), mean(2, 0, 1));
  EXPECT_NE(mean(1, 0, 1), mean(1, 1, 1));
}

TEST(Ensemble, TooFewPathsAreRefused) {
  const EulerMaruyama process(OrnsteinUhlenbeck(1, 1, 0), 0.01);
  EXPECT_THROW(Ensemble(process, {1}, {.paths = 127, .recorded = {1}}), ConfigError);
}

}  // namespace
}  // namespace gradwire
