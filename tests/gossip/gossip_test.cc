// SPDX-License-Identifier: Apache-2.0
// Methods of neighbours against what is known of them, on QH over a ring of 10 (rho = 0.1273). Counts and floors whose
// source is not named are those of a run in numpy by the papers' rules.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "support/gossip.h"
#include "support/vectors.h"

namespace gradwire {
namespace {

using testing::GossipTrace;
using testing::GossipTrial;
using testing::RunGossip;

GossipTrial OnQh(const char* method, const char* compressor, double gamma, double lr, int rounds) {
  GossipTrial trial;
  trial.problem = std::make_shared<const Problem>(QH());
  trial.method = method, trial.compressor = compressor;
  trial.gamma = gamma, trial.lr = lr, trial.rounds = rounds;
  return trial;
}

constexpr const char* kTop4 = "topk:20%";  // of 20

TEST(Gossip, MotefComesToTheSolution) {
  GossipTrial trial = OnQh("motef", kTop4, 0.2, 0.01, 4100);
  trial.lambda = 0.5;
  const GossipTrace trace = RunGossip(trial);
  EXPECT_NEAR(trace.RoundsTo(1e-10), 4013, 1);
  EXPECT_LE(trace.worst_invariant, 1e-10) << "mean v = mean m";
}

TEST(Gossip, MotefWithALongMomentumComesToTheSolution) {
  GossipTrial trial = OnQh("motef", kTop4, 0.1, 0.005, 8200);
  trial.lambda = 0.1;
  const GossipTrace trace = RunGossip(trial);
  EXPECT_NEAR(trace.RoundsTo(1e-10), 8137, 1);
  EXPECT_LE(trace.worst_invariant, 1e-10);
}

TEST(Gossip, BeerIsMotefWithoutMomentum) {
  GossipTrial motef = OnQh("motef", kTop4, 0.2, 0.01, 300);
  motef.lambda = 1;
  const GossipTrial beer = OnQh("beer", kTop4, 0.2, 0.01, 300);
  EXPECT_EQ(RunGossip(motef).x, RunGossip(beer).x);
}

/// x <- W x - eta v; v <- W v + g' - g, written out.
std::vector<std::vector<double>> TrackedByHand(const Problem& problem, const Mixing& mixing, double lr, int rounds) {
  const size_t n = problem.workers.size(), d = problem.dimension();
  using Rows = std::vector<std::vector<double>>;
  const auto mix = [&](const Rows& rows) {
    Rows mixed = rows;
    for (size_t i = 0; i < n; ++i)
      for (const Weights::Neighbour& of : mixing.rounds[0].neighbours[i])
        for (size_t j = 0; j < d; ++j) mixed[i][j] += of.weight * (rows[of.worker][j] - rows[i][j]);
    return mixed;
  };
  Rows x(n, problem.start), g(n, std::vector<double>(d)), next = g;
  for (size_t i = 0; i < n; ++i) problem.workers[i]->Gradient(x[i], g[i]);
  Rows v = g;
  for (int k = 0; k < rounds; ++k) {
    x = mix(x);
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < d; ++j) x[i][j] -= lr * v[i][j];
    v = mix(v);
    for (size_t i = 0; i < n; ++i) {
      problem.workers[i]->Gradient(x[i], next[i]);
      for (size_t j = 0; j < d; ++j) v[i][j] += next[i][j] - g[i][j];
    }
    g = next;
  }
  return x;
}

/// Models are of the order of 10.
void ExpectSame(const std::vector<std::vector<double>>& a, const std::vector<std::vector<double>>& b, double most) {
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < a[i].size(); ++j) ASSERT_NEAR(a[i][j], b[i][j], most) << i << " " << j;
}

TEST(Gossip, OfWholeModelsIsGradientTracking) {
  GossipTrial motef = OnQh("motef", "identity", 1, 0.01, 300);
  motef.lambda = 1, motef.opens_dense = true;
  const GossipTrial tracking = OnQh("gradient_tracking", "auto", 1, 0.01, 300);
  const auto by_hand = TrackedByHand(*tracking.problem, MakeMixing("ring", WeightRule::kAuto, 10, 1), 0.01, 300);
  ExpectSame(RunGossip(tracking).x, by_hand, 1e-13);
  ExpectSame(RunGossip(motef).x, by_hand, 1e-13);
}

TEST(Gossip, TrackingComesToTheSolutionAndAveragingStaysBesideIt) {
  const GossipTrace tracking = RunGossip(OnQh("gradient_tracking", "auto", 1, 0.02, 4000));
  EXPECT_GT(tracking.RoundsTo(1e-10), 0);
  const GossipTrace dgd = RunGossip(OnQh("dgd", "auto", 1, 0.02, 4000));
  EXPECT_GT(dgd.distances.back(), 0.1);
  EXPECT_NEAR(dgd.distances.back(), dgd.distances[3000], 1e-9) << "where it stays";
}

TEST(Gossip, ChocoStallsWhereMotefDoesNot) {
  const GossipTrace trace = RunGossip(OnQh("choco", kTop4, 0.1, 0.005, 4000));
  EXPECT_NEAR(trace.distances.back(), 3.1, 0.01);
}

struct Floor {
  const char* method;
  double lambda, expected;
};

/// Gradients with noise of deviation 1 on each coordinate: the root mean square over the last half of 6000 rounds.
TEST(Gossip, MomentumLowersTheFloorOfNoise) {
  std::vector<double> floors;
  for (const Floor& floor : {Floor{"motef", 1, 0.090}, Floor{"motef", 0.1, 0.048}, Floor{"motef", 0.02, 0.037},
                             Floor{"motef_vr", 0.1, 0.044}, Floor{"motef_vr", 0.02, 0.026}}) {
    GossipTrial trial = OnQh(floor.method, kTop4, 0.1, 0.005, 6000);
    trial.lambda = floor.lambda;
    trial.estimator.noise = {Noise::Kind::kAbsolute, 1};
    const GossipTrace trace = RunGossip(trial);
    floors.push_back(trace.Floor());
    EXPECT_NEAR(floors.back(), floor.expected, 0.1 * floor.expected) << floor.method << " " << floor.lambda;
    EXPECT_LE(trace.worst_invariant, 1e-10);
  }
  EXPECT_LT(floors[4], floors[2]) << "motef_vr below motef where the momentum is long";
}

class OneOrMany : public ::testing::TestWithParam<const char*> {};

/// All workers in one process, and a thread and a collective for each: the same bits and bytes.
TEST_P(OneOrMany, ProcessesGiveTheSameModels) {
  GossipTrial trial = OnQh(GetParam(), "unscale(randk:20%)", 0.1, 0.005, 20);
  trial.estimator.name = "sgd";
  const GossipTrace one = RunGossip(trial), many = testing::RunGossipThreads(trial);
  EXPECT_EQ(one.x, many.x);
  EXPECT_EQ(one.bytes, many.bytes);
  EXPECT_EQ(one.spread.average, many.spread.average);
  EXPECT_EQ(one.spread.distance, many.spread.distance);
  EXPECT_GT(one.spread.distance, 0);
}

INSTANTIATE_TEST_SUITE_P(, OneOrMany,
                         ::testing::Values("dgd", "gradient_tracking", "push_sum", "choco", "beer", "motef",
                                           "motef_vr"));

/// What each of four workers gets of its neighbours after each of three messages about vectors that are drawn.
std::vector<std::vector<float>> MixedOf(Neighbours<float>& neighbours, size_t numel) {
  std::vector<std::vector<float>> mixed;
  for (uint64_t k = 0; k < 3; ++k) {
    std::vector<std::vector<float>> values;
    for (const uint32_t worker : neighbours.own()) values.push_back(testing::Gaussian<float>(numel, 100 * k + worker));
    const std::vector<std::span<const float>> spans(values.begin(), values.end());
    neighbours.Tell(kGossipModel, spans);
    for (size_t place = 0; place < values.size(); ++place)
      neighbours.Mix(kGossipModel, place, 0.5, mixed.emplace_back(numel));
  }
  return mixed;
}

/// A matrix that is compressed and a vector that travels as it is, in float: the same over a collective, and of the
/// vectors themselves where they are told as they are.
TEST(Gossip, FloatsOfSeveralParameters) {
  const std::vector<Parameter> parameters = {{"w", {6, 7}}, {"b", {5}}};
  const Mixing mixing = MakeMixing("ring", WeightRule::kAuto, 4, 1);
  for (const char* spec : {"topk:20%", "identity"}) {
    CommConfig comm;
    comm.compressor = spec, comm.min_compress_numel = 10;
    const ExchangeParts link = GossipLinkParts(FindGossipMethod("choco"), comm, /*opens_dense=*/false, 1);
    const auto here = MakeNeighbours<float>(mixing, link, parameters, 1);
    const std::vector<std::vector<float>> all = MixedOf(*here, 47);
    testing::RunRanks(4, [&](Collective& collective) {
      const auto one = MakeNeighbours<float>(mixing, link, parameters, 1, collective);
      const std::vector<std::vector<float>> own = MixedOf(*one, 47);
      for (size_t k = 0; k < own.size(); ++k)
        EXPECT_EQ(own[k], all[4 * k + static_cast<size_t>(collective.rank())]) << spec << ", message " << k;
    });
    const auto x = [](uint32_t worker) { return testing::Gaussian<float>(47, 200 + worker); };
    for (size_t j = spec == std::string("identity") ? 0 : 42; j < 47; ++j)  // of worker 0: its neighbours are 1 and 3
      EXPECT_NEAR(all[8][j], 0.5 / 3 * (x(1)[j] + x(3)[j] - 2 * x(0)[j]), 1e-6) << spec << " " << j;
  }
}

/// As where a file of weights was edited between a save and its resumption.
TEST(Gossip, ASaveOfOtherNeighboursOrWeightsIsRefused) {
  const GossipTrial ring = OnQh("motef", kTop4, 0.1, 0.005, 1);
  const testing::GossipSetup setup(ring);
  const auto neighbours = MakeNeighbours<double>(setup.mixing, setup.link, setup.told, 2);
  const auto kept = neighbours->Save(0);
  EXPECT_NO_THROW(neighbours->Load(0, kept));
  const auto refusal = [&](auto&& change) -> std::string {
    auto other = kept;
    change(other);
    try {
      neighbours->Load(0, other);
    } catch (const Error& error) {
      return error.what();
    }
    return "taken";
  };
  using Kept = Neighbours<double>::Kept;
  EXPECT_THAT(refusal([](Kept& of) { of.neighbours[1] = 2; }),
              ::testing::HasSubstr("a save of worker 0 with other neighbours or weights: there 1 (0.333"));
  EXPECT_THAT(refusal([](Kept& of) { of.weights[0] = 0.25; }), ::testing::HasSubstr("there 1 (0.25)"));
  EXPECT_THAT(refusal([](Kept& of) { of.told.pop_back(); }), ::testing::HasSubstr("expected the graph of the save"));
}

TEST(Gossip, OtherGraphsAreRefusedAtTheStart) {
  const GossipTrial ring = OnQh("motef", kTop4, 0.1, 0.005, 1);
  testing::RunRanks(10, [&](Collective& collective) {
    GossipTrial trial = ring;
    if (collective.rank() == 3) trial.graph = "star";
    const testing::GossipSetup setup(trial);
    try {
      MakeNeighbours<double>(setup.mixing, setup.link, setup.told, setup.method.vectors(), collective);
      ADD_FAILURE() << "taken";
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("neighbours of worker 0"));
    }
  });
}

TEST(Gossip, ADivergedModelIsToldToNobody) {
  GossipTrial trial = OnQh("motef", kTop4, 1, 5, 0);
  const testing::GossipSetup setup(trial);
  const auto neighbours = MakeNeighbours<double>(setup.mixing, setup.link, setup.told, setup.method.vectors());
  auto workers = testing::MakeGossipWorkers(trial, setup.parts, neighbours->own());
  GossipRounds<double> rounds(testing::Pointers(workers), *neighbours, setup.parts, setup.opens);
  rounds.Begin();
  for (uint64_t k = 0; k < 10000 && !rounds.has_diverged(); ++k) rounds.Step({k, trial.lr});
  EXPECT_TRUE(rounds.has_diverged());
}

TEST(Gossip, TwoPointsTakeAnEstimatorWithoutMemory) {
  GossipTrial trial = OnQh("motef_vr", kTop4, 0.1, 0.005, 1);
  trial.estimator.name = "saga";
  EXPECT_THROW(RunGossip(trial), ConfigError);
}

}  // namespace
}  // namespace gradwire
