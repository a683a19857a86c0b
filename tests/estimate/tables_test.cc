// SPDX-License-Identifier: Apache-2.0
// Estimators that remember gradients, SAGA, JacSketch and SEGA, and the noise of what they see.
#include <cmath>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "estimate/estimator.h"
#include "gradwire/error.h"
#include "problem/quadratic.h"
#include "support/convex.h"
#include "support/estimators.h"

namespace gradwire {
namespace {

using testing::Comm;
using testing::ConvexTrace;
using testing::Named;
using testing::Share;

EstimatorConfig Noisy(EstimatorConfig config, const char* noise) {
  config.noise = ParseNoise(noise);
  return config;
}

/// One node that holds all 100 samples of LR, plain steps. Rounds of runs in numpy stand with each.
ConvexTrace OneNode(const EstimatorConfig& estimator, double lr, int steps) {
  return testing::Run({Share(LR(1)), Comm("none", "identity"), lr, steps, estimator});
}

constexpr double kLij = 2.264131689450833, kL = 0.26326507044140746;

std::vector<double> Point(size_t d, double phase) {
  std::vector<double> x(d);
  for (size_t j = 0; j < d; ++j) x[j] = std::cos(phase + static_cast<double>(j));
  return x;
}

TEST(Saga, ReachesTheMinimiserOfLr) {  // 2870 rounds in numpy; arXiv 1407.0202's 1/(6 L)
  const int rounds = OneNode(Named("saga"), 1 / (6 * kLij), 9000).RoundsTo(1e-10);
  EXPECT_GT(rounds, 1000);
  EXPECT_LE(rounds, 9000);
}

TEST(Saga, OfSamplesWithoutReplacementIsJacSketch) {  // tau = 5: 1473 rounds in numpy
  const int rounds = OneNode(Named("saga", "nice", 5), 1 / (6 * kLij), 4500).RoundsTo(1e-10);
  EXPECT_GT(rounds, 500);
  EXPECT_LE(rounds, 4500);
}

/// The same sample of the same stream, with weight 1.
TEST(Saga, OfOneSampleIsJacSketchBitForBit) {
  EXPECT_EQ(OneNode(Named("saga", "nice"), 0.07, 300).x, OneNode(Named("saga"), 0.07, 300).x);
}

TEST(Saga, FollowsItsRuleAlsoOfASampleThatIsDrawnTwice) {
  const auto problem = Share(LR());
  const FiniteSum& f = *problem->workers[0];
  const size_t m = f.samples(), d = f.dimension();
  const auto saga = MakeEstimator(Named("saga", "uniform", 3), problem, 0, 1);
  std::vector<std::vector<double>> table(m, std::vector<double>(d));
  const auto gradient = [&](uint32_t l, const std::vector<double>& x) {
    std::vector<double> g(d);
    const Draw draw{l, 1};
    f.AddGradient({&draw, 1}, x, g);
    return g;
  };
  for (uint32_t l = 0; l < m; ++l) table[l] = gradient(l, Point(d, 0));
  for (int k = 0; k < 50; ++k) {
    const std::vector<double> x = Point(d, k);
    const std::vector<Draw> draws = {{3, 0.25}, {static_cast<uint32_t>(k % 20), 0.5}, {3, 0.25}};
    std::vector<double> out(d), expected(d);
    saga->Estimate(x, {draws, false}, out);
    for (const auto& row : table)
      for (size_t j = 0; j < d; ++j) expected[j] += row[j] / static_cast<double>(m);
    for (const Draw& draw : draws)
      for (size_t j = 0; j < d; ++j) expected[j] += draw.weight * (gradient(draw.sample, x)[j] - table[draw.sample][j]);
    for (const Draw& draw : draws) table[draw.sample] = gradient(draw.sample, x);
    for (size_t j = 0; j < d; ++j) ASSERT_NEAR(out[j], expected[j], 1e-14) << "round " << k;
  }
  EXPECT_EQ(saga->evaluations(), m + 3 * 50);
}

/// The mean follows by differences; 1e16 and back would leave it wrong by about 1 for good.
TEST(Saga, RoundingDoesNotPileUpInTheMeanOfTheTable) {
  const auto problem = Share(QH());  // 8 samples
  const auto saga = MakeEstimator(Named("saga"), problem, 0, 1);
  std::vector<double> out(20), expected(20);
  const std::vector<double> x = Point(20, 1);
  saga->Estimate(x, {{{0, 1}}, false}, out);
  saga->Estimate(std::vector<double>(20, 1e16), {{{0, 1}}, false}, out);
  for (uint32_t k = 0; k < 8; ++k) saga->Estimate(x, {{{0, 1}}, false}, out);
  saga->Estimate(x, {{}, false}, out);
  problem->workers[0]->Gradient(x, expected);
  for (size_t j = 0; j < 20; ++j) EXPECT_NEAR(out[j], expected[j], 1e-12);
}

TEST(Sega, ReachesTheMinimiserOfLr) {  // 1706 rounds in numpy
  const int rounds = OneNode(Named("sega"), 1 / (6 * 10 * kL), 5200).RoundsTo(1e-10);
  EXPECT_GT(rounds, 600);
  EXPECT_LE(rounds, 5200);
}

/// theta blocks make it theta times slower than gradient descent, not d times.
TEST(Sega, OfBlocksIsAsMuchFaster) {
  EstimatorConfig config = Named("sega");
  config.block = 4;  // of 10 coordinates: blocks of 4, 4 and 2
  const int rounds = OneNode(config, 1 / (6 * 3 * kL), 1600).RoundsTo(1e-10);
  EXPECT_GT(rounds, 180);
  EXPECT_LE(rounds, 1600);
}

TEST(Sega, IsUnbiasedAndLearnsTheBlockThatItDraws) {
  const auto problem = Share(QH());
  EstimatorConfig config = Named("sega");
  config.block = 8;  // blocks of 8, 8 and 4
  std::vector<double> mean(20), out(20), gradient(20);
  for (uint32_t block = 0; block < 3; ++block) {
    const auto sega = MakeEstimator(config, problem, 1, 1);
    sega->Estimate(Point(20, 0.5), {{{1, 3}}, false}, out);  // not all zeros
    sega->Estimate(Point(20, 1), {{{block, 3}}, false}, out);
    for (size_t j = 0; j < 20; ++j) mean[j] += out[j] / 3;
    const std::vector<double>& h = *sega->memory().vectors[0];
    problem->workers[1]->Gradient(Point(20, 1), gradient);
    for (size_t j = block * 8; j < std::min<size_t>(20, block * 8 + 8); ++j) EXPECT_EQ(h[j], gradient[j]);
  }
  for (size_t j = 0; j < 20; ++j) EXPECT_NEAR(mean[j], gradient[j], 1e-12);
}

TEST(Sega, DrawsEveryBlockAlike) {
  EstimatorConfig config = Named("sega");
  config.block = 4;
  const auto sega = MakeEstimator(config, Share(LR()), 0, 1);
  std::vector<int> counts(3);
  for (uint64_t k = 0; k < 3000; ++k) {
    const Handle handle = sega->Next({k});
    ASSERT_EQ(handle.draws.size(), 1u);
    EXPECT_EQ(handle.draws[0].weight, 3);
    ++counts.at(handle.draws[0].sample);
  }
  for (const int count : counts) EXPECT_NEAR(count, 1000, 4.5 * std::sqrt(1000 * 2.0 / 3));
}

/// m = 1, d = 1; and one block of all coordinates.
TEST(Sega, OfOneBlockIsGradientDescent) {
  Problem parabola;
  parabola.workers = {MakeQuadratic({3}, {2}, {0})};
  parabola.start = {0}, parabola.minimiser = Minimiser{{2.0 / 3}, -2.0 / 3};
  const auto one = Share(parabola);
  EstimatorConfig whole = Named("sega");
  whole.block = 20;
  for (const auto& [problem, config] : {std::pair{one, Named("sega")}, std::pair{Share(QH()), whole}}) {
    const ConvexTrace sega = testing::Run({problem, Comm("none", "identity"), 0.1, 30, config});
    const ConvexTrace descent = testing::Run({problem, Comm("none", "identity"), 0.1, 30});
    for (size_t j = 0; j < sega.x.size(); ++j) EXPECT_NEAR(sega.x[j], descent.x[j], 1e-14);
  }
}

TEST(Noise, OfZeroIsNoneBitForBit) {
  for (const char* name : {"full", "sgd", "saga", "sega"})
    for (const char* noise : {"absolute:0", "relative:0"})
      EXPECT_EQ(OneNode(Noisy(Named(name), noise), 0.05, 50).x, OneNode(Named(name), 0.05, 50).x) << name << noise;
}

/// Where nothing varies but the noise: full's is one vector, sgd's the mean of the samples'.
TEST(Noise, HasTheDeviationThatItSays) {
  const auto problem = Share(LR());
  const std::vector<double> x = Point(10, 1);
  std::vector<double> gradient(10), out(10);
  problem->workers[2]->Gradient(x, gradient);
  for (const char* noise : {"absolute:0.5", "relative:0.5"}) {
    const auto full = MakeEstimator(Noisy(Named("full"), noise), problem, 2, 1);
    double sum = 0, square = 0;
    constexpr int kRounds = 4000;
    for (uint64_t k = 0; k < kRounds; ++k) {
      full->Estimate(x, full->Next({k}), out);
      for (size_t j = 0; j < 10; ++j) {
        const double z = (out[j] - gradient[j]) / (0.5 * (noise[0] == 'a' ? 1 : std::abs(gradient[j])));
        sum += z, square += z * z;
      }
    }
    EXPECT_NEAR(sum / (10 * kRounds), 0, 4.5 / std::sqrt(10 * kRounds)) << noise;
    EXPECT_NEAR(square / (10 * kRounds), 1, 4.5 * std::sqrt(2.0 / (10 * kRounds))) << noise;
  }
}

/// It belongs to (seed, worker, step, sample), wherever the sample is seen.
TEST(Noise, IsThatOfTheStepAndTheSample) {
  const auto problem = Share(QH());
  const auto noise_of = [&](uint64_t seed, size_t worker, uint64_t step, uint32_t sample, double phase) {
    std::vector<double> noisy(20), exact(20);
    const Handle handle{{{sample, 1}}, false, step};
    MakeEstimator(Noisy(Named("sgd"), "absolute:1"), problem, worker, seed)->Estimate(Point(20, phase), handle, noisy);
    MakeEstimator(Named("sgd"), problem, worker, seed)->Estimate(Point(20, phase), handle, exact);
    for (size_t j = 0; j < 20; ++j) noisy[j] = std::round((noisy[j] - exact[j]) * 1e9);
    return noisy;
  };
  const auto first = noise_of(1, 2, 3, 4, 0.5);
  EXPECT_EQ(first, noise_of(1, 2, 3, 4, 1.5));
  EXPECT_NE(first, noise_of(2, 2, 3, 4, 0.5));
  EXPECT_NE(first, noise_of(1, 3, 3, 4, 0.5));
  EXPECT_NE(first, noise_of(1, 2, 4, 4, 0.5));
  EXPECT_NE(first, noise_of(1, 2, 3, 5, 0.5));
}

/// N-SAGA and N-SEGA: the table, or the guess, has the very vector that the estimate has. x stands still, so that what
/// is learned in one round is taken off again in the next.
TEST(Noise, EntersTheEstimateAndTheMemoryAlike) {
  const auto problem = Share(QH());
  const std::vector<double> x = Point(20, 1);
  std::vector<double> first(20), second(20), before(20);
  const auto sega = MakeEstimator(Noisy(Named("sega"), "absolute:1"), problem, 0, 1);
  sega->Estimate(x, {{{5, 20}}, false, 7}, first);
  EXPECT_NEAR((*sega->memory().vectors[0])[5], first[5] / 20, 1e-12);  // h was 0: out = 20 (grad + noise)
  const auto saga = MakeEstimator(Noisy(Named("saga"), "absolute:1"), problem, 0, 1);
  saga->Estimate(x, {{{5, 1}}, false, 7}, first);
  const std::vector<double> table = *saga->memory().vectors[0], mean = *saga->memory().vectors[1];
  saga->Estimate(x, {{{5, 1}}, false, 8}, second);
  const std::vector<double>& after = *saga->memory().vectors[0];
  for (size_t j = 0; j < 20; ++j) {
    EXPECT_NEAR(second[j] - mean[j], after[5 * 20 + j] - table[5 * 20 + j], 1e-12);
    EXPECT_NE(after[5 * 20 + j], table[5 * 20 + j]);
  }
}

/// Noise of 1e-2 a coordinate: SAGA ends 0.023 away in numpy, and no nearer.
TEST(Noise, StallsInANeighbourhood) {
  const ConvexTrace saga = OneNode(Noisy(Named("saga"), "absolute:0.01"), 1 / (6 * kLij), 6000);
  double mean = 0;
  for (size_t k = 3000; k < 6000; ++k) mean += saga.distances[k] / 3000;
  EXPECT_GT(mean, 0.023 / 3);
  EXPECT_LT(mean, 0.023 * 3);
  const ConvexTrace sega = OneNode(Noisy(Named("sega"), "absolute:0.01"), 1 / (6 * 10 * kL), 4000);
  EXPECT_EQ(sega.RoundsTo(1e-4), -1);
  EXPECT_LT(sega.distances.back(), 0.15);
}

/// One node's gradient vanishes at x*, and noise in proportion with it.
TEST(Noise, InProportionVanishesWithTheGradient) {
  EXPECT_GT(OneNode(Noisy(Named("sega"), "relative:0.2"), 1 / (6 * 10 * kL * 1.08), 6000).RoundsTo(1e-10), 600);
}

TEST(Noise, IsReadAndPrinted) {
  for (const char* text : {"none", "absolute:0.01", "relative:2"}) EXPECT_EQ(ParseNoise(text).text(), text);
  EXPECT_EQ(ParseNoise("absolute:0").text(), "none");
  for (const char* text : {"", "absolute", "absolute:", "absolute:-1", "absolute:nan", "absolute:inf", "relative:1x"})
    EXPECT_THROW(ParseNoise(text), ConfigError) << text;
}

}  // namespace
}  // namespace gradwire
