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
  for (const char* text : {"all", "iid:40%", "iid:7%", "nice:12.5%", "independent:40%", "independent:0.5%,100%,25%",
                           "sets:0=1", "sets:0+1=2,2=0.5,1+0+3=1"})
    EXPECT_EQ(ParseParticipation(text).text(), text);
  for (const char* text :
       {"",         "iid",          "iid:3",          "iid:0%",           "nice:101%",      "nice:-1%",   "iid:x%",
        "iid:nan%", "independent:", "independent:40", "independent:40%,", "independent:0%", "sets:",      "sets:0",
        "sets:0=0", "sets:0+0=1",   "sets:0+=1",      "sets:-1=1",        "sets:0=1=2",     "sets:0=nan", "sets:0=1,"})
    EXPECT_THROW(ParseParticipation(text), ConfigError) << text;
}

constexpr const char* kPairs = "sets:0+1=1,0+2=2,0+3=3,1+2=4,1+3=5,2+3=6";  // of 21

/// The law of the six pairs: each as often as its probability, and 1/p_i for who is in it.
TEST(Participation, DrawsSetsByTheirWeights) {
  const auto counts = Outcomes(ParseParticipation(kPairs));
  ASSERT_EQ(counts.size(), 6u);
  const double p[] = {6 / 21.0, 10 / 21.0, 12 / 21.0, 14 / 21.0};  // sums of the pairs' weights
  double weight = 0;
  for (size_t i = 0; i < kWorkers; ++i)
    for (size_t j = i + 1; j < kWorkers; ++j) {
      std::vector<double> weights(kWorkers);
      weights[i] = 1 / p[i], weights[j] = 1 / p[j];
      const double expected = kDraws * ++weight / 21;
      const auto found = std::ranges::find_if(counts, [&](const auto& outcome) {
        return std::ranges::equal(outcome.first, weights, [](double a, double b) { return std::abs(a - b) < 1e-14; });
      });
      ASSERT_NE(found, counts.end()) << i << j;
      EXPECT_NEAR(found->second, expected, 5 * std::sqrt(expected));
    }
}

TEST(Participation, DrawsWorkersIndependently) {
  const double p[] = {0.5, 0.25, 1, 0.5};  // the list is repeated
  const auto counts = Outcomes(ParseParticipation("independent:50%,25%,100%"));
  ASSERT_EQ(counts.size(), 8u) << "the third is always there";
  for (const auto& [weights, count] : counts) {
    double expected = kDraws;
    for (size_t i = 0; i < kWorkers; ++i) {
      expected *= weights[i] > 0 ? p[i] : 1 - p[i];
      EXPECT_DOUBLE_EQ(weights[i], weights[i] > 0 ? 1 / p[i] : 0);
    }
    EXPECT_NEAR(count, expected, 5 * std::sqrt(expected));
  }
}

TEST(Participation, CountsWhoSendsOnAverage) {
  EXPECT_NEAR(ParseParticipation(kPairs).MeanCount(4), 2, 1e-14);
  EXPECT_NEAR(ParseParticipation("independent:50%,25%,100%").MeanCount(4), 2.25, 1e-14);
  EXPECT_EQ(ParseParticipation("nice:40%").MeanCount(10), 4);
  EXPECT_EQ(ParseParticipation("iid:50%").TimesDrawn(4, 4), 2);  // of 2 draws, weight 2 each
  EXPECT_EQ(ParseParticipation("independent:50%").TimesDrawn(2, 4), 1);
  EXPECT_EQ(ParseParticipation(kPairs).TimesDrawn(0, 4), 0);
}

TEST(Participation, ThatLeavesAWorkerOutForGoodIsRefused) {
  const auto why = [](const char* text, size_t workers) -> std::string {
    try {
      ParseParticipation(text).Check(workers);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "no error";
  };
  using ::testing::HasSubstr;
  EXPECT_EQ(why(kPairs, 4), "no error");
  EXPECT_EQ(why("independent:50%,25%", 5), "no error");
  EXPECT_THAT(why(kPairs, 5), HasSubstr("worker 4 is in no set, expected each in at least one of 5 workers"));
  EXPECT_THAT(why(kPairs, 3),
              HasSubstr("comm.participation: sets:0+1=1,0+2=2,0+3=3,1+2=4,1+3=5,2+3=6: found worker 3"));
  EXPECT_THAT(why("independent:50%,25%,10%", 2),
              HasSubstr("found 3 probabilities, expected at most one for each of 2"));
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

/// The same of the pairs whose probabilities are (1, ..., 6)/21, and of workers that come by themselves: any law.
TEST_P(Partial, MeansStayUnbiasedWhateverTheLaw) {
  for (const char* law : {kPairs, "independent:50%,25%,100%"}) {
    const bool pairs = law == kPairs;
    const Delivered delivered = Exchanged(law, GetParam(), 120);
    const Participation participation = ParseParticipation(law);
    std::map<std::vector<bool>, double> by_set;  // in the order of the sets' numbers, the first worker's bit last
    for (size_t round = 0; round < delivered.means.size(); ++round) {
      std::vector<bool> drawn;
      for (const double weight : participation.Weights(3, round, kWorkers)) drawn.push_back(weight > 0);
      by_set[drawn] = delivered.means[round];
    }
    double mean = 0, total = 0;
    for (const auto& [drawn, delivered_mean] : by_set) {
      double p = 1;
      const double own[] = {0.5, 0.25, 1, 0.5};
      for (size_t i = 0; i < kWorkers; ++i) p *= drawn[i] ? own[i] : 1 - own[i];
      if (pairs) {
        const auto is = [&](size_t i, size_t j) { return drawn[i] && drawn[j]; };
        p = (is(0, 1) ? 1 : is(0, 2) ? 2 : is(0, 3) ? 3 : is(1, 2) ? 4 : is(1, 3) ? 5 : 6) / 21.0;
      }
      total += p, mean += p * delivered_mean;
    }
    ASSERT_EQ(by_set.size(), pairs ? 6u : 8u);
    EXPECT_NEAR(total, 1, 1e-14);
    EXPECT_NEAR(mean, 2.5, 1e-14) << law;
  }
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

TEST(Participation, OfNobodyIsAMeanOfZero) {
  const Delivered delivered = Exchanged("independent:30%", "allgather", 40);
  int nobody = 0;
  for (size_t round = 0; round < 40; ++round) {
    const std::vector<double> weights = ParseParticipation("independent:30%").Weights(3, round, kWorkers);
    const bool is_empty = std::ranges::count(weights, 0.0) == kWorkers;
    EXPECT_EQ(delivered.means[round] == 0, is_empty) << "round " << round;
    nobody += is_empty;
  }
  EXPECT_GT(nobody, 0);
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
