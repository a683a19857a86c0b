// SPDX-License-Identifier: Apache-2.0
// Stochastic gradient push against averaging by symmetric weights, and against averaging by the same weights that
// leaves them as they are.
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "support/gossip.h"

namespace gradwire {
namespace {

using testing::GossipTrace;
using testing::GossipTrial;
using testing::RunGossip;
using Rows = std::vector<std::vector<double>>;

GossipTrial Push(const char* graph, double lr, int rounds, WeightRule rule = WeightRule::kAuto) {
  GossipTrial trial;
  trial.problem = std::make_shared<const Problem>(QH());
  trial.method = "push_sum", trial.graph = graph, trial.rule = rule;
  trial.lr = lr, trial.rounds = rounds;
  return trial;
}

/// x <- W (x - lr grad): the rows as they are, with no weights of workers to make up for their sums.
Rows AdaptThenCombine(const GossipTrial& trial) {
  const Problem& problem = *trial.problem;
  const Mixing mixing = MakeMixing(trial.graph, trial.rule, problem.workers.size(), trial.seed, Stochastic::kColumns);
  const size_t n = problem.workers.size(), d = problem.dimension();
  Rows x(n, problem.start), moved(n, std::vector<double>(d));
  for (int k = 0; k < trial.rounds; ++k) {
    const Weights& weights = mixing.rounds[static_cast<size_t>(k) % mixing.rounds.size()];
    for (size_t i = 0; i < n; ++i) {
      problem.workers[i]->Gradient(x[i], moved[i]);
      for (size_t j = 0; j < d; ++j) moved[i][j] = x[i][j] - trial.lr * moved[i][j];
    }
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < d; ++j) {
        double change = weights.excess[i] * moved[i][j];
        for (const auto& [of, weight] : weights.neighbours[i]) change += weight * (moved[of][j] - moved[i][j]);
        x[i][j] = moved[i][j] + change;
      }
  }
  return x;
}

double Farthest(const Problem& problem, const Rows& models) {
  double farthest = 0;
  for (const auto& model : models) farthest = std::max(farthest, problem.Distance(model));
  return farthest;
}

TEST(PushSum, WithSymmetricWeightsIsAdaptThenCombineBitForBit) {
  for (const char* graph : {"ring", "star", "complete", "regular:3"}) {
    const GossipTrial trial = Push(graph, 0.02, 50);
    const GossipTrace trace = RunGossip(trial);
    EXPECT_EQ(trace.models, AdaptThenCombine(trial)) << graph;
    for (const auto& x : trace.x) EXPECT_EQ(x.back(), 1) << "its weight";
  }
}

/// A star whose workers each split what they have evenly: the hub's row adds up to 4.6, a leaf's to 0.6. Two ways to
/// the same floor, which falls with the step.
TEST(PushSum, IsNotBiasedWhereRowsDoNotAddUpToOne) {
  std::vector<double> floors;
  for (const double lr : {0.002, 0.001}) {
    const GossipTrial trial = Push("star", lr, static_cast<int>(12 / lr), WeightRule::kUniform);
    floors.push_back(Farthest(*trial.problem, RunGossip(trial).models));
    EXPECT_GT(Farthest(*trial.problem, AdaptThenCombine(trial)), 1) << "without weights";
  }
  EXPECT_NEAR(floors[0] / floors[1], 2, 0.1) << "linear in the step";
  EXPECT_LT(floors[0], 0.5);
  for (const char* graph : {"directed_ring", "directed_exponential", "one_peer_exponential"}) {
    const GossipTrial trial = Push(graph, 0.001, 12000);
    EXPECT_LT(Farthest(*trial.problem, RunGossip(trial).models), 0.5) << graph;
  }
}

TEST(PushSum, KeepsTheSumsOfWeightsAndModels) {
  for (const char* graph : {"star", "ring", "directed_ring", "directed_exponential", "one_peer_exponential"}) {
    const GossipTrial trial = Push(graph, 0.02, 0, WeightRule::kUniform);
    const testing::GossipSetup setup(trial);
    const auto neighbours = MakeNeighbours<double>(setup.mixing, setup.link, setup.told, 1);
    auto workers = testing::MakeGossipWorkers(trial, setup.parts, neighbours->own());
    GossipRounds<double> rounds(testing::Pointers(workers), *neighbours, setup.parts, setup.opens);
    const auto sums = [&] {
      std::vector<double> sums(trial.problem->dimension() + 1);
      for (const auto& [objective, worker] : workers)
        for (size_t j = 0; j < sums.size(); ++j) sums[j] += worker.x()[j];
      return sums;
    };
    rounds.Begin();
    for (uint64_t k = 0; k < 20; ++k) rounds.Step({k, trial.lr});
    const std::vector<double> before = sums();
    ASSERT_GT(rounds.Measure().distance, 0.01);
    for (uint64_t k = 20; k < 600; ++k) rounds.Step({k, /*lr=*/0});
    for (size_t j = 0; j < before.size(); ++j) EXPECT_NEAR(sums()[j], before[j], 1e-12) << graph;
    EXPECT_NEAR(sums().back(), static_cast<double>(workers.size()), 1e-12) << graph;
    const Spread spread = rounds.Measure();
    EXPECT_LT(spread.distance, 1e-9) << graph << ": all came to the mean";
    for (size_t j = 0; j + 1 < before.size(); ++j)
      EXPECT_NEAR(spread.average[j], before[j] / static_cast<double>(workers.size()), 1e-9) << graph;
  }
}

/// Of 8 workers, three rounds with 1, 2 and 4 workers between speaker and listener: each then has everyone's share.
TEST(PushSum, OnePeerARoundAveragesExactlyInLogN) {
  const Mixing mixing = MakeMixing("one_peer_exponential", WeightRule::kAuto, 8, 1, Stochastic::kColumns);
  ASSERT_EQ(mixing.rounds.size(), 3u);
  EXPECT_EQ(mixing.edges(), 8u);
  EXPECT_EQ(mixing.HeardBy(0), (std::vector<uint32_t>{4, 6, 7}));
  std::vector<double> x = {3, 1, 4, 1, 5, 9, 2, 6};
  for (const Weights& weights : mixing.rounds) {
    std::vector<double> next = x;
    for (size_t i = 0; i < x.size(); ++i)
      for (const auto& [of, weight] : weights.neighbours[i]) next[i] += weight * (x[of] - x[i]);
    x = next;
  }
  for (const double value : x) EXPECT_EQ(value, 31.0 / 8);
}

/// There are no messages before the first round.
TEST(PushSum, TellsOneListenerARound) {
  const GossipTrace one = RunGossip(Push("one_peer_exponential", 0.01, 6)), two = RunGossip(Push("ring", 0.01, 6));
  EXPECT_EQ(2 * one.bytes[0], two.bytes[0]);
  EXPECT_EQ(RunGossip(Push("ring", 0.01, 3)).bytes[0], one.bytes[0]);
  EXPECT_GE(one.bytes[0], 6 * 21 * sizeof(double)) << "a weight with each model of 20";
}

class PushOneOrMany : public ::testing::TestWithParam<const char*> {};

TEST_P(PushOneOrMany, ProcessesGiveTheSameModels) {
  GossipTrial trial = Push(GetParam(), 0.01, 9, WeightRule::kUniform);
  trial.estimator.name = "sgd";
  const GossipTrace one = RunGossip(trial), many = testing::RunGossipThreads(trial);
  EXPECT_EQ(one.x, many.x);
  EXPECT_EQ(one.bytes, many.bytes);
  EXPECT_EQ(one.spread.average, many.spread.average);
}

INSTANTIATE_TEST_SUITE_P(, PushOneOrMany,
                         ::testing::Values("star", "directed_ring", "directed_exponential", "one_peer_exponential"));

}  // namespace
}  // namespace gradwire
