// SPDX-License-Identifier: Apache-2.0
#include "gossip/mixing.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numbers>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

using ::testing::HasSubstr;

TEST(Mixing, OfNamedGraphsIsSymmetricAndCountsEachWorkerLessThanOnce) {
  for (const char* graph : {"ring", "torus", "complete", "star", "exponential", "regular:3", "regular:4"})
    for (const size_t n : {6u, 12u, 20u}) {
      const Mixing mixing = MakeMixing(graph, WeightRule::kAuto, n, 7);
      ASSERT_EQ(mixing.workers(), n);
      EXPECT_GT(mixing.gap, 0) << graph;
      for (size_t i = 0; i < n; ++i) {
        double others = 0;
        for (const auto& [j, weight] : mixing.rounds[0].neighbours[i]) {
          others += weight;
          const auto& back = mixing.rounds[0].neighbours[j];
          const auto found = std::ranges::find(back, static_cast<uint32_t>(i), &Weights::Neighbour::worker);
          ASSERT_NE(found, back.end());
          EXPECT_EQ(found->weight, weight);
        }
        EXPECT_LT(others, 1) << graph;
      }
    }
}

/// By the eigenvalues of circulant matrices: 1/3 + 2/3 cos(2 pi / n) of a ring.
TEST(Mixing, HasTheGapsThatAreKnown) {
  const auto gap = [](const char* graph, size_t n) { return MakeMixing(graph, WeightRule::kAuto, n, 1).gap; };
  for (const size_t n : {4u, 10u, 31u})
    EXPECT_NEAR(gap("ring", n), 2.0 / 3 * (1 - std::cos(2 * std::numbers::pi / static_cast<double>(n))), 1e-12);
  EXPECT_NEAR(gap("complete", 7), 1, 1e-12);
  EXPECT_NEAR(gap("star", 8), 1.0 / 8, 1e-12) << "a leaf's own share is 1 - 1/n, and so is an eigenvalue";
  EXPECT_EQ(gap("ring", 1), 1);
}

TEST(Mixing, OfARingInLinearTimeIsThatOfTheGraph) {
  for (const size_t n : {1, 2, 3, 4, 5, 10, 33}) {
    const Mixing expected = MakeMixing("ring", WeightRule::kAuto, n, 1), found = MakeRing(n);
    EXPECT_NEAR(found.gap, expected.gap, 1e-12) << n;
    for (size_t i = 0; i < n; ++i) {
      EXPECT_EQ(found.rounds[0].listeners[i], expected.rounds[0].listeners[i]) << n;
      EXPECT_EQ(found.rounds[0].excess[i], expected.rounds[0].excess[i]) << n;
      ASSERT_EQ(found.rounds[0].neighbours[i].size(), expected.rounds[0].neighbours[i].size()) << n;
      for (size_t j = 0; j < found.rounds[0].neighbours[i].size(); ++j) {
        EXPECT_EQ(found.rounds[0].neighbours[i][j].worker, expected.rounds[0].neighbours[i][j].worker);
        EXPECT_EQ(found.rounds[0].neighbours[i][j].weight, expected.rounds[0].neighbours[i][j].weight);
      }
    }
  }
}

TEST(Mixing, OfARandomGraphIsTheSeeds) {
  const auto text = [](uint64_t seed) {
    std::string text;
    const Mixing mixing = MakeMixing("regular:3", WeightRule::kAuto, 16, seed);
    for (const auto& neighbours : mixing.rounds[0].neighbours) {
      EXPECT_EQ(neighbours.size(), 3u);
      for (const auto& neighbour : neighbours) text += std::to_string(neighbour.worker) + " ";
    }
    return text;
  };
  EXPECT_EQ(text(3), text(3));
  EXPECT_NE(text(3), text(4));
}

std::string WhyNot(const std::string& graph, size_t n, WeightRule rule = WeightRule::kAuto,
                   Stochastic asks = Stochastic::kDoubly) {
  try {
    MakeMixing(graph, rule, n, 1, asks);
  } catch (const ConfigError& error) {
    EXPECT_THAT(std::string(error.key()), ::testing::StartsWith("gossip."));
    return error.what();
  }
  return "no error";
}

class Files : public ::testing::Test {
 protected:
  std::string Write(const std::string& text) const {
    std::ofstream(path_) << text;
    return path_;
  }
  ~Files() override { std::filesystem::remove(path_); }
  const std::string path_ = ::testing::TempDir() + "gradwire_mixing_test_" + std::to_string(::getpid()) + ".txt";
};

TEST_F(Files, OfWeightsAreTaken) {
  const std::string file = Write("# three in a row\n0.75 0.25 0\n0.25 0.5 0.25 # the middle one\n\n0 0.25 0.75\n");
  const Mixing mixing = MakeMixing(file, WeightRule::kAuto, 3, 1);
  EXPECT_EQ(mixing.edges(), 2u);
  EXPECT_EQ(mixing.rounds[0].neighbours[1][0].weight, 0.25);
  EXPECT_NEAR(mixing.gap, 0.25, 1e-12);
  const Mixing metropolis = MakeMixing(file, WeightRule::kMetropolis, 3, 1);
  EXPECT_EQ(metropolis.rounds[0].neighbours[0][0].weight, 1.0 / 3);
}

TEST_F(Files, ThatAreNoMixingAreRefusedWithThePlace) {
  EXPECT_THAT(WhyNot(Write("1 0\n0 x\n"), 2), HasSubstr(":2: found x as number 2, expected a weight of 0 or more"));
  EXPECT_THAT(WhyNot(Write("1.5 -0.5\n-0.5 1.5\n"), 2), HasSubstr(":1: found -0.5"));
  EXPECT_THAT(WhyNot(Write("0.5 nan\n0.5 0.5\n"), 2), HasSubstr(":1: found nan"));
  EXPECT_THAT(WhyNot(Write("0.5 0.5\n0.5 0.5\n"), 3), HasSubstr(":1: row 1 of 2 numbers, expected 3 rows of 3"));
  EXPECT_THAT(WhyNot(Write("0.5 0.5\n"), 2), HasSubstr("has 1 rows, expected 2"));
  EXPECT_THAT(WhyNot(Write("0.5 0.5\n0.25 0.75\n"), 2), HasSubstr("not symmetric: worker 0 counts 0.5 for worker 1"));
  EXPECT_THAT(WhyNot(Write("0.5 0.4\n0.4 0.6\n"), 2), HasSubstr("not stochastic: row 1 adds up to 0.9"));
  EXPECT_THAT(WhyNot(Write("1 0\n0 1\n"), 2), HasSubstr("not connected: no way leads from worker 0 to worker 1"));
  EXPECT_THAT(WhyNot(Write("0 1\n1 0\n"), 2), HasSubstr("mix nothing"));
  EXPECT_THAT(WhyNot("no/such/file", 2), HasSubstr("neither a graph's name nor a file"));
}

TEST(Mixing, OfGraphsThatAreNotThereIsRefused) {
  EXPECT_THAT(WhyNot("torus", 7), HasSubstr("7 workers make no grid"));
  for (const char* text : {"regular:", "regular:1", "regular:3", "regular:5", "regular:x", "regular:-2"})
    EXPECT_THAT(WhyNot(text, 5), HasSubstr("expected regular:K")) << text;
}

/// Columns add up to 1: row 1 is what the first worker takes of each.
TEST_F(Files, OfColumnStochasticWeightsAreTakenWhereOneWayIsEnough) {
  const std::string file = Write("0.5 0 0.75\n0.25 0.5 0\n0.25 0.5 0.25\n");
  const Mixing mixing = MakeMixing(file, WeightRule::kAuto, 3, 1, Stochastic::kColumns);
  EXPECT_TRUE(mixing.is_directed);
  EXPECT_EQ(mixing.edges(), 4u);
  EXPECT_EQ(mixing.rounds[0].listeners[0], (std::vector<uint32_t>{1, 2}));
  EXPECT_EQ(mixing.rounds[0].neighbours[0][0].weight, 0.75);
  EXPECT_EQ(mixing.rounds[0].excess, (std::vector<double>{0.25, -0.25, 0}));
  const Mixing uniform = MakeMixing(file, WeightRule::kUniform, 3, 1, Stochastic::kColumns);
  EXPECT_EQ(uniform.rounds[0].neighbours[1][0].weight, 1.0 / 3) << "the first one is heard by two";
  EXPECT_EQ(uniform.rounds[0].neighbours[0][0].weight, 0.5);
  EXPECT_THAT(WhyNot(file, 3), HasSubstr("not symmetric"));
  EXPECT_THAT(WhyNot(file, 3, WeightRule::kMetropolis, Stochastic::kColumns), HasSubstr("not symmetric"));
}

TEST_F(Files, ThatNoPushingTakesAreRefused) {
  const auto why = [&](const char* text, size_t n) {
    return WhyNot(Write(text), n, WeightRule::kAuto, Stochastic::kColumns);
  };
  EXPECT_THAT(why("0.5 0.5\n0.4 0.5\n", 2), HasSubstr("not column-stochastic: column 1 adds up to 0.9"));
  EXPECT_THAT(why("0.5 0\n0.5 1\n", 2), HasSubstr("not strongly connected: no way leads from worker 1 to worker 0"));
  EXPECT_THAT(why("1 0.5\n0 0.5\n", 2), HasSubstr("not strongly connected: no way leads from worker 0 to worker 1"));
  EXPECT_THAT(why("0 0 1\n1 0 0\n0 1 0\n", 3), HasSubstr("mix nothing"));
}

/// Of a circulant matrix (1 + w) / 2 with w = e^(2 pi i / n), the next largest magnitude is cos(pi / n).
TEST(Mixing, OfDirectedGraphsIsOfThoseWhoPush) {
  const auto make = [](const char* graph, size_t n) {
    return MakeMixing(graph, WeightRule::kAuto, n, 1, Stochastic::kColumns);
  };
  for (const size_t n : {3u, 10u, 31u})
    EXPECT_NEAR(make("directed_ring", n).gap, 1 - std::cos(std::numbers::pi / static_cast<double>(n)), 1e-12);
  EXPECT_EQ(make("directed_exponential", 10).rounds[0].listeners[9], (std::vector<uint32_t>{0, 1, 3, 7}));
  EXPECT_EQ(make("one_peer_exponential", 10).rounds.size(), 4u);
  EXPECT_EQ(make("one_peer_exponential", 10).rounds[2].listeners[9], (std::vector<uint32_t>{3}));
  for (const char* graph : {"directed_ring", "directed_exponential", "one_peer_exponential"}) {
    EXPECT_EQ(make(graph, 1).edges(), 0u);
    EXPECT_EQ(make(graph, 2).edges(), 1u) << "the same both ways";
    EXPECT_THAT(WhyNot(graph, 5), HasSubstr("is directed, and its weights are not symmetric")) << graph;
    EXPECT_THAT(WhyNot(graph, 5, WeightRule::kMetropolis, Stochastic::kColumns), HasSubstr("of undirected graphs"));
  }
  EXPECT_THAT(WhyNot("star", 5, WeightRule::kUniform), HasSubstr("whose rows do not add up to 1"));
}

}  // namespace
}  // namespace gradwire
