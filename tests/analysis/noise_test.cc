// SPDX-License-Identifier: Apache-2.0
#include "analysis/noise.h"

#include <cmath>
#include <numbers>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

using testing::HasSubstr;

/// 2 Xi(u) as the paper has it: Xi(u) = u G((nu+1)/2) / (sqrt(pi nu) G(nu/2)) 2F1(1/2, (nu+1)/2; 3/2; -u^2/nu), by the
/// series of 2F1, which converges for |u| < sqrt(nu).
double MeanSignBySeries(double u, double nu) {
  double sum = 0, term = 1;
  for (int k = 0; k < 2000; ++k) {
    sum += term;
    term *= (0.5 + k) * ((nu + 1) / 2 + k) / ((1.5 + k) * (k + 1)) * (-u * u / nu);
  }
  return 2 * u * std::tgamma((nu + 1) / 2) / (std::sqrt(std::numbers::pi * nu) * std::tgamma(nu / 2)) * sum;
}

TEST(GradientNoise, TheMeanSignIsThePapersHypergeometricFunction) {
  for (const double nu : {1.0, 1.5, 2.0, 3.0, 7.0})
    for (const double u : {-0.9, -0.3, 0.0, 0.01, 0.5, 0.95})
      EXPECT_NEAR(GradientNoise{nu}.MeanSign(u * std::sqrt(nu)), MeanSignBySeries(u * std::sqrt(nu), nu), 1e-12)
          << nu << " " << u;
}

TEST(GradientNoise, TheMeanSignIsThatOfKnownDistributions) {
  for (const double u : {-50.0, -2.0, -0.1, 0.0, 0.7, 3.0, 1e6}) {
    EXPECT_NEAR(GradientNoise{1}.MeanSign(u), 2 / std::numbers::pi * std::atan(u), 1e-14);  // Cauchy
    EXPECT_NEAR(GradientNoise{2}.MeanSign(u), u / std::sqrt(2 + u * u), 1e-14);
    EXPECT_NEAR(GradientNoise{}.MeanSign(u), std::erf(u / std::sqrt(2)), 1e-15);
  }
  EXPECT_NEAR(GradientNoise{1e7}.MeanSign(0.5), GradientNoise{}.MeanSign(0.5), 1e-6);  // t becomes Gaussian
  EXPECT_EQ(GradientNoise{3}.MeanSign(-INFINITY), -1);
}

TEST(GradientNoise, TheSlopeIsTheDerivativeOfTheMeanSignAtZero) {
  for (const double nu : {0.0, 1.0, 2.5, 30.0}) {
    const GradientNoise noise{nu};
    EXPECT_NEAR(noise.MeanSign(1e-5) / 1e-5, noise.MeanSignSlope(), 1e-8) << nu;
  }
}

/// How often draws are above a bound, against the distribution: 5 standard errors of so many tosses.
TEST(GradientNoise, DrawsHaveTheDistributionOfTheMeanSign) {
  constexpr int kDraws = 100000;
  for (const double nu : {0.0, 1.0, 2.0, 4.5}) {
    const GradientNoise noise{nu};
    for (const double u : {0.0, 0.4, 1.5}) {
      NoiseStream stream(Philox(7, Purpose::kNoise, 1, static_cast<uint64_t>(10 * u)));
      double signs = 0;
      for (int i = 0; i < kDraws; ++i) signs += u + noise.Draw(stream) > 0 ? 1 : -1;
      EXPECT_NEAR(signs / kDraws, noise.MeanSign(u), 5 / std::sqrt(kDraws)) << noise.spec() << " " << u;
    }
  }
}

TEST(GradientNoise, PairsOfNormalsAreIndependentAndOfVarianceOne) {
  constexpr int kPairs = 100000;
  NoiseStream stream(Philox(3, Purpose::kNoise));
  double product = 0, squares = 0, of_squares = 0;
  for (int i = 0; i < kPairs; ++i) {
    const double first = stream.Normal(), second = stream.Normal();
    product += first * second, squares += first * first + second * second;
    of_squares += (first * first - 1) * (second * second - 1);
  }
  EXPECT_NEAR(product / kPairs, 0, 5 / std::sqrt(kPairs));
  EXPECT_NEAR(squares / (2 * kPairs), 1, 5 * std::sqrt(2.0 / (2 * kPairs)));
  EXPECT_NEAR(of_squares / kPairs, 0, 5 * 2 / std::sqrt(kPairs));  // (z^2 - 1) has variance 2
}

TEST(GradientNoise, SpecsMakeItAgainAndOthersAreRefused) {
  for (const char* spec : {"gaussian", "student:1", "student:2.5"}) EXPECT_EQ(ParseGradientNoise(spec).spec(), spec);
  for (const char* spec : {"", "cauchy", "student", "student:", "student:0", "student:-1", "student:nan"}) try {
      ParseGradientNoise(spec);
      FAIL() << spec;
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), HasSubstr("noise: found '" + std::string(spec) + "', expected gaussian or student:NU"));
    }
}

}  // namespace
}  // namespace gradwire
