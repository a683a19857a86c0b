// SPDX-License-Identifier: Apache-2.0
#include "estimate/estimator.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <span>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "estimate/sampling.h"
#include "gradwire/error.h"
#include "support/convex.h"
#include "support/estimators.h"

namespace gradwire {
namespace {

using testing::Comm;
using testing::ConvexTrace;
using testing::Named;
using testing::Share;

std::vector<double> Point(size_t d, double phase) {
  std::vector<double> x(d);
  for (size_t j = 0; j < d; ++j) x[j] = std::cos(phase + static_cast<double>(j));
  return x;
}

/// The mean over single draws of sample l with probability L_il / sum or 1/m, each weighted as its sampling does.
std::vector<double> Enumerate(const EstimatorConfig& config, const std::shared_ptr<const Problem>& problem,
                              bool importance) {
  const FiniteSum& f = *problem->workers[1];
  const size_t m = f.samples();
  double total = 0;
  for (size_t l = 0; l < m; ++l) total += f.SampleSmoothness(l);
  std::vector<double> mean(f.dimension()), out(f.dimension());
  for (uint32_t l = 0; l < m; ++l) {
    const double p = importance ? f.SampleSmoothness(l) / total : 1 / static_cast<double>(m);
    const auto estimator = MakeEstimator(config, problem, 1, 1);
    estimator->Estimate(Point(f.dimension(), 0.5), {{{0, 1}}, true}, out);  // a first round, to give anchors a place
    estimator->Estimate(Point(f.dimension(), 1), {{{l, 1 / (static_cast<double>(m) * p)}}, false}, out);
    for (size_t j = 0; j < mean.size(); ++j) mean[j] += p * out[j];
  }
  return mean;
}

TEST(Estimator, EveryOneIsUnbiased) {  // by enumeration of the samples
  for (const auto& problem : {Share(QH()), Share(LR())})
    for (const char* name : {"full", "sgd", "star", "svrg", "lsvrg", "anchored", "saga"})
      for (const bool importance : {false, true}) {
        const std::vector<double> mean = Enumerate(Named(name), problem, importance);
        std::vector<double> expected(mean.size());
        problem->workers[1]->Gradient(Point(mean.size(), 1), expected);
        for (size_t j = 0; j < mean.size(); ++j) EXPECT_NEAR(mean[j], expected[j], 1e-12) << name;
      }
}

TEST(Estimator, StarShiftSubtractsTheGradientAtTheMinimiser) {
  const auto problem = Share(QH());
  EstimatorConfig config = Named("sgd");
  config.star_shift = true;
  const std::vector<double> mean = Enumerate(config, problem, false);
  std::vector<double> expected(20), star(20);
  problem->workers[1]->Gradient(Point(20, 1), expected);
  problem->workers[1]->Gradient(problem->minimiser->x, star);
  for (size_t j = 0; j < mean.size(); ++j) EXPECT_NEAR(mean[j], expected[j] - star[j], 1e-12);
}

TEST(Sampling, EverySampleHasMeanWeightOneOverM) {
  const Problem problem = LR();
  const FiniteSum& f = *problem.workers[0];
  constexpr int kDraws = 20000;
  for (const char* name : {"uniform", "nice", "importance", "independent", "partition", "reshuffle"})
    for (const int64_t batch : {1, 3}) {
      const auto sampling = MakeSampling(Named("sgd", name, batch), f, 7, 0);
      std::vector<double> sum(20), square(20);
      for (uint64_t k = 0; k < kDraws; ++k) {
        Philox random(7, Purpose::kSample, 0, k);
        std::map<uint32_t, double> weights;
        for (const Draw& draw : sampling->Next(random, k)) weights[draw.sample] += draw.weight;
        for (const auto& [l, weight] : weights) sum.at(l) += weight, square.at(l) += weight * weight;
      }
      for (size_t l = 0; l < 20; ++l) {
        const double mean = sum[l] / kDraws, error = std::sqrt((square[l] / kDraws - mean * mean) / kDraws);
        EXPECT_NEAR(mean, 0.05, 4.5 * error) << name << " " << batch << " sample " << l;
      }
    }
}

TEST(Sampling, ReshufflingTakesEverySampleOnceAPassInAnotherOrder) {
  const Problem problem = LR();  // 20 samples a worker; batches of 3 reach over the ends of passes
  for (const char* name : {"reshuffle", "shuffle_once"}) {
    const auto sampling = MakeSampling(Named("sgd", name, 3), *problem.workers[0], 7, 0);
    std::vector<uint32_t> taken;
    Philox unused(7, Purpose::kSample, 0, 0);
    for (uint64_t step = 0; step < 20; ++step)
      for (const Draw& draw : sampling->Next(unused, step)) taken.push_back(draw.sample);
    for (size_t pass = 0; pass < 3; ++pass) {
      const std::span<const uint32_t> of_pass = std::span(taken).subspan(20 * pass, 20);
      EXPECT_EQ(std::set<uint32_t>(of_pass.begin(), of_pass.end()).size(), 20u) << name;
      EXPECT_EQ(pass == 0 || name == std::string("shuffle_once"),
                std::ranges::equal(of_pass, std::span(taken).first(20)))
          << name << " " << pass;
    }
    EXPECT_EQ(sampling->Next(unused, 0)[1].sample, taken[1]);  // the past can be asked for again
  }
}

TEST(Sampling, NiceDrawsDistinctSamplesAndAllOfThemAreTheGradient) {
  const auto problem = Share(LR());
  const auto sampling = MakeSampling(Named("sgd", "nice", 6), *problem->workers[0], 7, 0);
  for (uint64_t k = 0; k < 200; ++k) {
    Philox random(7, Purpose::kSample, 0, k);
    const std::vector<Draw> draws = sampling->Next(random, k);
    ASSERT_EQ(draws.size(), 6u);
    for (size_t i = 1; i < 6; ++i) EXPECT_LT(draws[i - 1].sample, draws[i].sample);
  }
  const auto all = MakeEstimator(Named("sgd", "nice", 20), problem, 0, 1);
  std::vector<double> out(10), expected(10);
  all->Estimate(Point(10, 1), all->Next({3}), out);
  problem->workers[0]->Gradient(Point(10, 1), expected);
  for (size_t j = 0; j < 10; ++j) EXPECT_NEAR(out[j], expected[j], 1e-15);
}

TEST(Sampling, StreamsDifferByWorkerAndStepAndRepeatBySeed) {
  const auto problem = Share(LR());
  const auto sample = [&](size_t worker, uint64_t step, uint64_t seed) {
    std::vector<uint32_t> samples;
    for (const Draw& draw : MakeEstimator(Named("sgd", "uniform", 8), problem, worker, seed)->Next({step}).draws)
      samples.push_back(draw.sample);
    return samples;
  };
  EXPECT_EQ(sample(1, 2, 3), sample(1, 2, 3));
  EXPECT_NE(sample(1, 2, 3), sample(0, 2, 3));
  EXPECT_NE(sample(1, 2, 3), sample(1, 3, 3));
  EXPECT_NE(sample(1, 2, 3), sample(1, 2, 4));
}

TEST(Estimator, ACommonCoinFallsAlikeForAllWorkersAndAnOwnOneDoesNot) {
  const auto problem = Share(LR(3));  // blocks of 34, 33 and 33 samples
  for (const char* coin : {"own", "common"}) {
    EstimatorConfig config = Named("lsvrg");
    config.coin = coin;
    int differ = 0, falls = 0;
    for (uint64_t k = 0; k < 3400; ++k) {
      const bool zero = MakeEstimator(config, problem, 0, 1)->Next({k}).refresh;
      differ += zero != MakeEstimator(config, problem, 2, 1)->Next({k}).refresh;
      falls += zero;
    }
    EXPECT_NEAR(falls, 100, 4 * 10) << "p = 1/m";
    if (config.coin == "common")
      EXPECT_EQ(differ, 0);
    else
      EXPECT_GT(differ, 100);
  }
}

TEST(Estimator, SvrgMovesItsAnchorEveryPeriod) {
  EstimatorConfig config = Named("svrg");
  config.anchor_period = 3;
  const auto estimator = MakeEstimator(config, Share(LR()), 0, 1);
  for (uint64_t k = 0; k < 7; ++k) EXPECT_EQ(estimator->Next({k}).refresh, k % 3 == 0);
}

/// One node that holds all 100 samples of LR, plain steps.
ConvexTrace OneNode(const EstimatorConfig& estimator, double lr, int steps) {
  return testing::Run({Share(LR(1)), Comm("none", "identity"), lr, steps, estimator});
}

constexpr double kLij = 2.264131689450833;

TEST(Estimator, StarReachesTheMinimiserOfLr) {  // SGD-star, arXiv 1905.11261: a run in numpy took 497 rounds
  const int rounds = OneNode(Named("star"), 1 / (2 * kLij), 1500).RoundsTo(1e-10);
  EXPECT_GT(rounds, 200);
  EXPECT_LE(rounds, 1500);
}

TEST(Estimator, SvrgAndLsvrgReachTheMinimiserOfLr) {  // runs in numpy: L-SVRG 2689 rounds, SVRG of period 2 N 2309
  EXPECT_GT(OneNode(Named("lsvrg"), 1 / (6 * kLij), 8000).RoundsTo(1e-10), 800);
  EstimatorConfig svrg = Named("svrg");
  svrg.anchor_period = 200;
  EXPECT_GT(OneNode(svrg, 1 / (6 * kLij), 8000).RoundsTo(1e-10), 800);
}

TEST(Estimator, SgdStallsWhereVarianceReductionDoesNot) {
  EXPECT_EQ(OneNode(Named("sgd"), 1 / (6 * kLij), 8000).RoundsTo(1e-3), -1);
}

TEST(Estimator, DistributedLsvrgReachesTheMinimiserWithEitherCoin) {
  for (const char* coin : {"own", "common"}) {
    EstimatorConfig config = Named("lsvrg");
    config.coin = coin;
    const ConvexTrace trace = testing::Run({Share(LR()), Comm("none", "identity"), 1 / (6 * kLij), 8000, config});
    EXPECT_GT(trace.RoundsTo(1e-10), 0) << coin;
    EXPECT_TRUE(trace.replicas_agree);
    EXPECT_NEAR(trace.passes, 8000 * (2.0 / 20 + 1.0 / 20), 0.1 * 1200);  // two samples a round, a pass every m rounds
  }
}

/// EC-GDstar, Gorbunov et al. 2020, arXiv 2010.12292: 201 rounds in numpy, at a constant step size.
TEST(Estimator, ErrorFeedbackWithTheStarShiftReachesTheMinimiser) {
  EstimatorConfig config;
  config.star_shift = true;
  EXPECT_NEAR(testing::Run({Share(QH()), Comm("ef", "topk:2"), 0.02, 400, config}).RoundsTo(1e-10), 201, 2);
}

TEST(Estimator, ImpossibleOnesAreRefusedByKey) {
  const auto why = [](const EstimatorConfig& config, Problem problem) -> std::string {
    try {
      MakeEstimator(config, Share(std::move(problem)), 0, 1);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "no error";
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(why(Named("sag"), LR()), HasSubstr("objective.estimator: 'sag' is unknown; expected one of full, sgd"));
  EXPECT_THAT(why(Named("sgd", "best"), LR()), HasSubstr("objective.sampling: 'best' is unknown"));
  EXPECT_THAT(why(Named("sgd", "nice", 21), LR()),
              HasSubstr("objective.batch: found 21, expected at most the 20 samples"));
  Problem unknown = LR();
  unknown.minimiser.reset();
  for (const char* sampling : {"independent", "partition"})
    EXPECT_THAT(why(Named("sgd", sampling, 21), LR()), HasSubstr("objective.batch: found 21, expected at most the 20"));
  EstimatorConfig many = Named("sgd", "partition", 10);
  many.probabilities = {0.2, 0.3, 0.5};
  EXPECT_THAT(why(many, LR()), HasSubstr("objective.probabilities: found 3 numbers, expected at most the 2 blocks"));
  EstimatorConfig blocks = Named("sega");
  blocks.block = 11;
  EXPECT_THAT(why(blocks, LR()), HasSubstr("objective.block: found 11, expected from 1 to the 10 coordinates"));
  for (const EstimatorInfo& info : Estimators()) {
    EstimatorConfig noisy = Named(std::string(info.name).c_str());
    noisy.noise = ParseNoise("absolute:0.1");
    EXPECT_THAT(why(noisy, LR()), HasSubstr(info.takes_noise ? "no error" : "objective.noise: found absolute:0.1"));
  }
  EXPECT_THAT(why(Named("star"), unknown), HasSubstr("objective.estimator: star needs x*"));
  EstimatorConfig shifted;
  shifted.star_shift = true;
  EXPECT_THAT(why(shifted, unknown), HasSubstr("objective.star_shift: true needs x*"));
}

}  // namespace
}  // namespace gradwire
