// SPDX-License-Identifier: Apache-2.0
// Only some workers take part in a round: the draws, and the mean that stays unbiased.
#include "gradwire/participation.h"

#include <cmath>
#include <map>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/convex.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

constexpr size_t kWorkers = 4;
constexpr uint64_t kDraws = 24000;

/// How often each outcome was drawn.
std::map<std::vector<double>, int> Outcomes(const Participation& participation) {
  std::map<std::vector<double>, int> counts;
  for (uint64_t step = 0; step < kDraws; ++step) ++counts[participation.Weights(7, step, kWorkers)];
  return counts;
}

TEST(Participation, DrawsEverySetOfDifferentWorkersAlike) {
  const auto counts = Outcomes(ParseParticipation("nice:50%"));
  ASSERT_EQ(counts.size(), 6u);
  for (const auto& [weights, count] : counts) {
    EXPECT_EQ(std::ranges::count(weights, 2.0), 2);
    EXPECT_EQ(std::ranges::count(weights, 0.0), 2);
    EXPECT_NEAR(count, kDraws / 6.0, 5 * std::sqrt(kDraws / 6.0));
  }
}

TEST(Participation, DrawsWithReplacementCountHowOften) {
  const auto counts = Outcomes(ParseParticipation("iid:50%"));
  ASSERT_EQ(counts.size(), 10u) << "6 pairs, and 4 workers drawn twice";
  for (const auto& [weights, count] : counts) {
    const bool twice = std::ranges::count(weights, 4.0) == 1;
    const double expected = kDraws * (twice ? 1.0 / 16 : 2.0 / 16);
    EXPECT_NEAR(count, expected, 5 * std::sqrt(expected));
  }
}

TEST(Participation, OfAtLeastOneWorkerPrintsBack) {
  EXPECT_EQ(ParseParticipation("iid:1%").CountOf(4), 1u);
  EXPECT_EQ(ParseParticipation("nice:40%").CountOf(10), 4u);
  EXPECT_EQ(ParseParticipation("all").CountOf(4), 4u);
  for (const char* text : {"all", "iid:40%", "iid:7%", "nice:12.5%"}) EXPECT_EQ(ParseParticipation(text).text(), text);
  for (const char* text : {"", "iid", "iid:3", "iid:0%", "nice:101%", "nice:-1%", "iid:x%", "iid:nan%"})
    EXPECT_THROW(ParseParticipation(text), ConfigError) << text;
}

/// What an exchange of w + 1 as worker w's gradient delivers, and the bytes that worker w sends, by round.
struct Delivered {
  std::vector<double> means;
  std::vector<std::vector<uint64_t>> bytes{kWorkers};
};

Delivered Exchanged(const char* participation, const char* topology, int rounds) {
  Delivered delivered;
  const std::vector<Parameter> parameters = {{"x", {2000}}};
  CommConfig comm = testing::Comm("dcgd", "identity");
  comm.participation = participation;
  comm.topology = topology;
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Exchange<double> exchange(collective, parameters, MakeParts(comm, 3));
    DirectSink<double> sink(exchange);
    testing::Buckets<double> buckets(parameters, testing::OneEach(parameters));
    uint64_t sent = 0;
    for (int round = 0; round < rounds; ++round) {
      std::ranges::fill(buckets.Of(0), collective.rank() + 1);
      buckets.Exchange(sink, static_cast<uint64_t>(round));
      const double first = buckets.Of(0)[0];
      EXPECT_TRUE(std::ranges::all_of(buckets.Of(0), [&](double x) { return x == first; }));
      if (collective.rank() == 0) delivered.means.push_back(first);
      auto& bytes = delivered.bytes[static_cast<size_t>(collective.rank())];
      bytes.push_back(exchange.stats().bytes_sent() - sent);
      sent = exchange.stats().bytes_sent();
    }
  });
  return delivered;
}

class Partial : public ::testing::TestWithParam<const char*> {};

/// The sum over the sets S of workers of P(S) g(S) is the mean gradient.
TEST_P(Partial, MeansOfAllOutcomesAreTheMeanOfAllWorkers) {
  const Delivered delivered = Exchanged("nice:50%", GetParam(), 60);
  const Participation pairs = ParseParticipation("nice:50%");
  std::map<std::vector<double>, double> by_set;
  for (size_t round = 0; round < delivered.means.size(); ++round) {
    const std::vector<double> weights = pairs.Weights(3, round, kWorkers);
    double expected = 0;
    for (size_t w = 0; w < kWorkers; ++w) expected += weights[w] * static_cast<double>(w + 1) / kWorkers;
    EXPECT_NEAR(delivered.means[round], expected, 1e-14);
    by_set[weights] = delivered.means[round];
  }
  ASSERT_EQ(by_set.size(), 6u);
  double mean = 0;
  for (const auto& item : by_set) mean += item.second / 6;
  EXPECT_NEAR(mean, 2.5, 1e-14);
}

INSTANTIATE_TEST_SUITE_P(, Partial, ::testing::Values("allgather", "sharded"),
                         [](const auto& info) { return std::string(info.param); });

/// Small and one-dimensional parameters are everyone's in every round.
TEST(Participation, WhatTravelsDenseIsTheMeanOfAll) {
  const std::vector<Parameter> parameters = {{"weight", {30, 50}}, {"bias", {1500}}, {"small", {2, 3}}};
  CommConfig comm = testing::Comm("dcgd", "identity");
  comm.participation = "nice:25%";
  comm.min_compress_numel = 1000;
  comm.compress_1d = false;
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Exchange<float> exchange(collective, parameters, MakeParts(comm, 3));
    DirectSink<float> sink(exchange);
    testing::Buckets<float> buckets(parameters, testing::OneBucket(parameters));
    for (uint64_t round = 0; round < 5; ++round) {
      for (uint32_t p = 0; p < 3; ++p) std::ranges::fill(buckets.Of(p), collective.rank() + 1);
      buckets.Exchange(sink, round);
      EXPECT_EQ(buckets.Of(1)[7], 2.5);
      EXPECT_EQ(buckets.Of(2)[5], 2.5);
      EXPECT_EQ(buckets.Of(0)[9], std::round(buckets.Of(0)[9])) << "one worker's";
    }
  });
}

/// PP-MARINA: g += (1/r) sum over the drawn of Q(v - v of the round before), also of rounds that they sat out.
TEST(Participation, ChangesAreOfTheRoundBeforeWhoeverSent) {
  const std::vector<Parameter> parameters = {{"x", {2000}}};
  CommConfig comm = testing::Comm("pp_marina", "identity");
  comm.p = "0";  // dense in round 0 alone
  const auto value = [](size_t worker, uint64_t round) {
    return std::sin(static_cast<double>(worker + 1) * static_cast<double>(round + 1));
  };
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    Exchange<double> exchange(collective, parameters, MakeParts(comm, 3));
    DirectSink<double> sink(exchange);
    testing::Buckets<double> buckets(parameters, testing::OneEach(parameters));
    const Participation half = ParseParticipation("iid:50%");
    double expected = 0;
    for (uint64_t round = 0; round < 30; ++round) {
      std::ranges::fill(buckets.Of(0), value(static_cast<size_t>(collective.rank()), round));
      buckets.Exchange(sink, round);
      const std::vector<double> weights = half.Weights(3, round, kWorkers);
      for (size_t w = 0; w < kWorkers; ++w)
        expected += (round == 0 ? value(w, 0) : weights[w] * (value(w, round) - value(w, round - 1))) / kWorkers;
      ASSERT_NEAR(buckets.Of(0)[5], expected, 1e-12) << "round " << round;
    }
  });
}

TEST(Participation, WhoIsNotDrawnSendsNoPayload) {
  const Delivered delivered = Exchanged("iid:50%", "allgather", 20);
  const Participation two = ParseParticipation("iid:50%");
  for (size_t round = 0; round < 20; ++round) {
    const std::vector<double> weights = two.Weights(3, round, kWorkers);
    for (size_t w = 0; w < kWorkers; ++w) {
      const uint64_t bytes = delivered.bytes[w][round], whole = 3 * 2000 * sizeof(double);
      EXPECT_TRUE(weights[w] == 0 ? bytes < 600 : bytes >= whole) << bytes;
    }
  }
}

}  // namespace
}  // namespace gradwire
