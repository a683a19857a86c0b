// SPDX-License-Identifier: Apache-2.0
// AD-PSGD against its rule written out, and its clock against that of rounds, in which all wait for the slowest.
#include "gossip/pair_rounds.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "base/philox.h"
#include "support/gossip.h"

namespace gradwire {
namespace {

using Rows = std::vector<std::vector<double>>;

/// QH, or ten times its first worker.
std::shared_ptr<const Problem> Ten(bool alike = false) {
  Problem problem = QH();
  if (alike) std::ranges::fill(problem.workers, problem.workers[0]);
  return std::make_shared<const Problem>(std::move(problem));
}

struct Pairs {
  explicit Pairs(std::shared_ptr<const Problem> of, std::vector<double> speeds = {1}, uint64_t seed = 1,
                 const char* estimator = "full", const char* graph = "ring")
      : problem(std::move(of)),
        mixing(MakeMixing(graph, WeightRule::kAuto, problem->workers.size(), seed)),
        rounds(problem->start, mixing,
               GossipLinkParts(FindGossipMethod("ad_psgd"), testing::Comm("auto", "auto"), false, seed),
               Times(speeds, problem->workers.size()), Estimators(estimator, seed), seed) {
    rounds.Begin();
  }

  static DelayModel Times(const std::vector<double>& speeds, size_t n) {
    DelayModel times;
    for (size_t i = 0; i < n; ++i) times.speed.push_back(speeds[std::min(i, speeds.size() - 1)]);
    return times;
  }
  std::vector<std::unique_ptr<Estimator>> Estimators(const char* name, uint64_t seed) const {
    EstimatorConfig config;
    config.name = name;
    std::vector<std::unique_ptr<Estimator>> estimators;
    for (uint32_t i = 0; i < problem->workers.size(); ++i)
      estimators.push_back(MakeEstimator(config, problem, i, seed));
    return estimators;
  }
  Rows Models() const {
    Rows models;
    for (size_t i = 0; i < rounds.size(); ++i) models.emplace_back(rounds.model(i).begin(), rounds.model(i).end());
    return models;
  }
  std::vector<double> Sum() const {
    std::vector<double> sum(problem->dimension());
    for (const auto& model : Models())
      for (size_t j = 0; j < sum.size(); ++j) sum[j] += model[j];
    return sum;
  }

  const std::shared_ptr<const Problem> problem;
  const Mixing mixing;
  PairRounds rounds;
};

/// Of workers that take equally long: one after another, again and again.
TEST(Pairs, OfEqualTimesAreTheRuleWrittenOut) {
  for (const bool alike : {true, false}) {
    Pairs pairs(Ten(alike));
    const size_t d = pairs.problem->dimension();
    Rows x(10, pairs.problem->start), read = x;
    std::vector<double> gradient(d);
    for (uint64_t step = 0; step < 300; ++step) {
      pairs.rounds.Step(0.01);
      const size_t i = step % 10;
      const auto& neighbours = pairs.mixing.rounds[0].neighbours[i];
      const size_t other = neighbours[Philox(1, Purpose::kShuffle, (uint64_t{1} << 32) + 3, step).Below(2)].worker;
      pairs.problem->workers[i]->Gradient(read[i], gradient);
      for (size_t j = 0; j < d; ++j) {
        x[i][j] = x[other][j] = (x[i][j] + x[other][j]) / 2;
        x[i][j] -= 0.01 * gradient[j];
      }
      read[i] = x[i];
    }
    EXPECT_EQ(pairs.Models(), x);
    EXPECT_EQ(pairs.rounds.now(), 30);
    EXPECT_EQ(pairs.rounds.stats().tau_max, 9u) << "each other one once between its beginning and its end";
  }
}

TEST(Pairs, AveragingKeepsTheSum) {
  Pairs pairs(Ten(), {1, 3, 7, 2});
  for (int k = 0; k < 200; ++k) pairs.rounds.Step(0.01);
  const std::vector<double> before = pairs.Sum();
  ASSERT_GT(pairs.rounds.Measure().distance, 0.1);
  for (int k = 0; k < 20000; ++k) pairs.rounds.Step(0);
  const std::vector<double> after = pairs.Sum();
  for (size_t j = 0; j < before.size(); ++j) EXPECT_NEAR(after[j], before[j], 1e-12);
  EXPECT_LT(pairs.rounds.Measure().distance, 1e-9) << "all came to the mean";
}

double Slope(const Problem& problem, std::span<const double> x) {
  std::vector<double> gradient(x.size());
  problem.workers[0]->Gradient(x, gradient);
  double square = 0;
  for (const double g : gradient) square += g * g;
  return std::sqrt(square);
}

/// Ten workers of the same function, nine that take 1 and one that takes 10: a round takes 10.
TEST(Pairs, DoNotWaitForTheSlowOne) {
  Pairs pairs(Ten(/*alike=*/true), {1, 1, 1, 1, 1, 1, 1, 1, 1, 10});
  const double target = 1e-6 * Slope(*pairs.problem, pairs.problem->start);
  const auto is_there = [&](std::span<const double> average) { return Slope(*pairs.problem, average) <= target; };
  for (int k = 0; k < 100000 && !is_there(pairs.rounds.Measure().average); ++k) pairs.rounds.Step(0.02);
  ASSERT_TRUE(is_there(pairs.rounds.Measure().average));
  std::vector<double> x = pairs.problem->start, gradient(x.size());
  int rounds = 0;  // of dgd, by which workers that are alike descend alike
  for (; !is_there(x); ++rounds) {
    ASSERT_LT(rounds, 10000);
    pairs.problem->workers[0]->Gradient(x, gradient);
    for (size_t j = 0; j < x.size(); ++j) x[j] -= 0.02 * gradient[j];
  }
  EXPECT_LT(pairs.rounds.now(), 10 * rounds);
}

TEST(Pairs, AreTheSeeds) {
  const auto models = [](uint64_t seed) {
    Pairs pairs(Ten(), {1, 3, 7, 2}, seed, "sgd", "complete");
    for (int k = 0; k < 100; ++k) pairs.rounds.Step(0.01);
    return pairs.Models();
  };
  EXPECT_EQ(models(4), models(4));
  EXPECT_NE(models(4), models(5));
}

TEST(Pairs, TellEachOtherTheirModels) {
  Pairs pairs(Ten());
  for (int k = 0; k < 100; ++k) pairs.rounds.Step(0.01);
  testing::GossipTrial trial;  // 50 rounds, and the opening, to two neighbours
  trial.problem = pairs.problem, trial.method = "dgd", trial.lr = 0.01, trial.rounds = 49;
  uint64_t sent = 0;
  for (size_t i = 0; i < 10; ++i) sent += pairs.rounds.sent(i).bytes_sent();
  EXPECT_EQ(sent, 2 * testing::RunGossip(trial).bytes[0]) << "two messages for each gradient";
}

TEST(Pairs, OneAloneDescends) {
  Problem problem = QH();
  problem.workers.resize(1);
  Pairs pairs(std::make_shared<const Problem>(std::move(problem)));
  std::vector<double> x = pairs.problem->start, gradient(x.size());
  for (int k = 0; k < 20; ++k) {
    pairs.rounds.Step(0.01);
    pairs.problem->workers[0]->Gradient(x, gradient);
    for (size_t j = 0; j < x.size(); ++j) x[j] -= 0.01 * gradient[j];
  }
  EXPECT_EQ(pairs.Models()[0], x);
  EXPECT_EQ(pairs.rounds.sent(0).bytes_sent(), 0u);
}

TEST(Pairs, ThatDivergeSaySo) {
  Pairs pairs(Ten());
  for (int k = 0; k < 100000 && pairs.rounds.is_finite(); ++k) pairs.rounds.Step(5);
  EXPECT_FALSE(pairs.rounds.is_finite());
}

}  // namespace
}  // namespace gradwire
