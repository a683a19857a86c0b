// SPDX-License-Identifier: Apache-2.0
// FFGG, each worker's own unknowns fitted before its gradient (Mishchenko et al. 2023, arXiv 2305.18285). References
// are runs of the recursion in numpy on the same numbers, apart from this code.
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "problem/dense.h"
#include "problem/personal_problems.h"
#include "problem/personal_squares.h"
#include "support/convex.h"

namespace gradwire {
namespace {

using testing::Comm;
using testing::ConvexTrace;
using testing::ConvexTrial;
using ::testing::HasSubstr;

constexpr double kL = 4.571846490929024;

EstimatorConfig Inner(const char* solver, bool warm = true) {
  EstimatorConfig config;
  config.inner = ParseInner(solver);
  config.inner.warm = warm;
  return config;
}

ConvexTrial Trial(const Problem& problem, const EstimatorConfig& estimator, double lr, int steps) {
  return {std::make_shared<Problem>(problem), Comm("none", "identity"), lr, steps, estimator};
}

TEST(Ffgg, ReachesTheSolutionInAsManyRoundsAsInNumpy) {
  EXPECT_EQ(testing::Run(Trial(Overpersonalised(6), Inner("exact"), 1 / kL, 150)).RoundsTo(1e-10), 112);
  EXPECT_EQ(testing::Run(Trial(Overpersonalised(6), Inner("gd:5"), 0.2 / kL, 900)).RoundsTo(1e-10), 767);
  EXPECT_EQ(testing::Run(Trial(Personalised(6), Inner("exact"), 1 / kL, 150)).RoundsTo(1e-10), 108);
  EXPECT_EQ(testing::Run(Trial(Personalised(6), Inner("gd:5"), 0.2 / kL, 900)).RoundsTo(1e-10), 818);
}

ConvexTrace Local(const Problem& problem, const char* solver, int steps) {
  ConvexTrial trial = Trial(problem, Inner(solver), 0.1 / kL, steps);
  trial.local = LocalConfig{.sync_every = 10};
  return testing::Run(trial);
}

/// The workers agree on where f_i is least, so that local steps have nothing to drift to; Local-SGD on QH has (see
/// LocalSgd.FixedPointIsBiasedAsInClosedForm), and so have workers that disagree at the solution.
TEST(Ffgg, LocalStepsHaveNoBiasWhereOverpersonalised) {
  const ConvexTrace exact = Local(Overpersonalised(6), "exact", 2000);
  EXPECT_NEAR(exact.RoundsTo(1e-10), 1700, 9);  // 170 agreements, seen at the tenth step
  EXPECT_TRUE(exact.replicas_agree);
  EXPECT_NEAR(Local(Overpersonalised(6), "gd:1", 5000).RoundsTo(1e-10), 4760, 9);
  EXPECT_NEAR(Local(Personalised(6), "exact", 2000).distances.back(), 0.097117, 1e-6);
  EXPECT_GT(Local(QH(), "exact", 2000).distances.back(), 0.1);
}

TEST(Ffgg, CompressedGradientsReachTheSolution) {
  for (const auto& [method, compressor] : {std::pair{"ef21", "topk:1"}, {"diana", "randk:1"}, {"marina", "randk:1"}}) {
    ConvexTrial trial = Trial(Personalised(6), Inner("gd:5"), 0.05 / kL, 6000);
    trial.comm = Comm(method, compressor);
    const ConvexTrace trace = testing::Run(trial);
    EXPECT_LE(trace.distances.back(), 1e-10) << method;
    EXPECT_TRUE(trace.replicas_agree) << method;
  }
}

TEST(Ffgg, AWorkerAloneReachesItsPlaneOfMinimisers) {
  const Problem one = Personalised(1);
  EXPECT_LE(testing::Run(Trial(one, Inner("cg:1"), 0.2 / one.smoothness, 1000)).distances.back(), 1e-10);
}

/// A step from the last y is part of a descent; a step from 0 is the same few steps ever again.
TEST(Ffgg, AWarmStartNeedsFewerInnerStepsThanAColdOne) {
  const auto last = [](const char* solver, bool warm) {
    return testing::Run(Trial(Overpersonalised(6), Inner(solver, warm), 0.2 / kL, 1500)).distances.back();
  };
  EXPECT_NEAR(last("gd:1", true), 1.7422e-7, 1e-10);  // as in numpy
  EXPECT_NEAR(last("gd:100", false), 5.06859e-3, 1e-7);
  EXPECT_LE(last("cg:3", false), 1e-10);  // as many as own unknowns
}

std::vector<double> Estimate(Estimator& estimator, const std::vector<double>& x, uint64_t step) {
  std::vector<double> out(x.size());
  estimator.Estimate(x, estimator.Next({step, 0.1}), out);
  return out;
}

TEST(Ffgg, ExactlySolvedTheGradientIsThatOfWhatIsLeft) {
  const auto problem = std::make_shared<Problem>(Personalised(6));
  for (const char* solver : {"exact", "cg:3"})
    for (size_t worker = 0; worker < 6; ++worker) {
      const auto estimator = MakeEstimator(Inner(solver), problem, worker, 1);
      for (uint64_t step = 0; step < 5; ++step) {
        std::vector<double> x(4), expected(4);
        for (size_t j = 0; j < 4; ++j) x[j] = std::sin(static_cast<double>(step + 3 * j));
        problem->workers[worker]->Gradient(x, expected);
        const std::vector<double> found = Estimate(*estimator, x, step);
        for (size_t j = 0; j < 4; ++j) EXPECT_NEAR(found[j], expected[j], solver[0] == 'e' ? 1e-12 : 1e-10);
      }
    }
}

TEST(Ffgg, PassesAreThoseOfTheInnerStepsAndOfTheGradient) {
  const auto problem = std::make_shared<Problem>(Personalised(2));
  for (const auto& [solver, passes] : {std::pair{"exact", 2u}, {"gd:5", 6u}, {"cg:2", 4u}}) {
    const auto estimator = MakeEstimator(Inner(solver), problem, 0, 1);
    Estimate(*estimator, {1, 2, 3, 4}, 0);
    EXPECT_EQ(estimator->evaluations(), passes) << solver;
  }
}

/// B x + (D S) (S^-1 y): own unknowns in other units are no other problem, and what is exchanged does not know them.
TEST(Ffgg, NobodyElseSeesTheUnitsOfOwnUnknowns) {
  const auto problem = [](double unit) {
    std::vector<std::shared_ptr<const PersonalSum>> workers;
    for (size_t i = 0; i < 3; ++i) {
      std::vector<double> b(20), own(15), c(5);
      for (size_t k = 0; k < 20; ++k) b[k] = std::sin(static_cast<double>(k * k + i));
      for (size_t k = 0; k < 15; ++k) own[k] = unit * std::cos(static_cast<double>(5 * k * k + 2 * i));
      for (size_t k = 0; k < 5; ++k) c[k] = std::sin(static_cast<double>(7 * k + 3 * i));
      workers.push_back(MakePersonalSquares(b, own, c));
    }
    return PersonalProblem(workers);
  };
  for (const char* solver : {"exact", "gd:3", "cg:2"}) {
    const std::vector<double> plain = testing::Run(Trial(problem(1), Inner(solver), 0.05, 60)).x;
    const std::vector<double> scaled = testing::Run(Trial(problem(1000), Inner(solver), 0.05, 60)).x;
    EXPECT_GT(Norm(plain), 0.01);
    for (size_t j = 0; j < 4; ++j) EXPECT_NEAR(scaled[j], plain[j], 1e-12) << solver;
  }
}

/// What a worker hands to the exchange is of x's size, and the others' is what it was, whatever its y.
TEST(Ffgg, APoisonedOwnUnknownChangesNothingButTheWorkersGradient) {
  const auto problem = std::make_shared<Problem>(Personalised(3));
  const auto gradients = [&](double poison) {
    std::vector<std::vector<double>> sent;
    for (size_t worker = 0; worker < 3; ++worker) {
      auto estimator = MakeEstimator(Inner("gd:2"), problem, worker, 1);
      Estimator& own = *estimator;
      ConvexWorker objective(problem, worker, std::move(estimator));
      KeepSink<double> sink;
      objective.Gradient({0, 0.1}, sink);
      if (worker == 1)
        for (double& y : *own.memory().vectors.at(0)) y *= poison;
      objective.Gradient({1, 0.1}, sink);
      EXPECT_EQ(objective.parameters().size(), 1u);
      EXPECT_EQ(objective.gradient().at(0).size(), 4u);
      sent.emplace_back(objective.gradient()[0].begin(), objective.gradient()[0].end());
    }
    return sent;
  };
  const auto clean = gradients(1), poisoned = gradients(-1000);
  EXPECT_EQ(poisoned[0], clean[0]);
  EXPECT_EQ(poisoned[2], clean[2]);
  EXPECT_GT(std::abs(poisoned[1][0] - clean[1][0]), 1);
}

TEST(Ffgg, WhatCannotBeIsRefusedByItsKey) {
  const auto problem = std::make_shared<Problem>(Personalised(6));
  const auto refusal = [&](const EstimatorConfig& config) -> std::string {
    try {
      MakeEstimator(config, problem, 0, 1);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "no error";
  };
  EstimatorConfig config = Inner("gd:3");
  config.inner.step = 0.138;  // 2 / 14.57
  EXPECT_THAT(refusal(config), HasSubstr("objective.inner_step: found 0.138, expected less than 2 / Lw = 0.137"));
  config.inner.step = 0.137;
  EXPECT_EQ(refusal(config), "no error");
  config.name = "sgd";
  EXPECT_THAT(refusal(config), HasSubstr("objective.estimator: found sgd, expected full"));
}

TEST(InnerSolver, TextsAreReadOrRefused) {
  EXPECT_TRUE(ParseInner("exact").is_exact());
  EXPECT_EQ(ParseInner("cg:7").steps, 7u);
  EXPECT_EQ(ParseInner("gd:1000000").steps, 1000000u);
  for (const char* text : {"", "exact:", "exact:1", "cg", "cg:", "cg:0", "gd:-1", "gd:1.5", "gd:1000001", "gd:3 ",
                           "gd: 3", "gd:99999999999999999999", "newton:3", "GD:3"})
    EXPECT_THROW(ParseInner(text), ConfigError) << text;
}

}  // namespace
}  // namespace gradwire
