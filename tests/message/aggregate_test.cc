// SPDX-License-Identifier: Apache-2.0
// What every rule of comm.aggregate promises, and the numbers of each.
#include <limits>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "support/aggregates.h"

namespace gradwire {
namespace {

using testing::CombineAll;
using testing::Norm;
using testing::SomeVectors;
using testing::Vectors;
using Promise = AggregateRule::Promise;

constexpr size_t kNumel = 37;

template <typename T>
constexpr double kRounding = 16 * std::numeric_limits<T>::epsilon();

template <typename T>
void ExpectNear(const std::vector<T>& a, const std::vector<T>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t j = 0; j < a.size(); ++j) ASSERT_NEAR(a[j], b[j], tolerance) << "element " << j;
}

/// What the rule's promise says of the result, where the senders from `honest` on are wrong.
template <typename T>
void ExpectPromise(const Aggregate& aggregate, const Vectors<T>& vectors, size_t honest, const std::vector<T>& result) {
  double longest = 0;
  for (size_t i = 0; i < honest; ++i) longest = std::max(longest, Norm(vectors[i]));
  switch (aggregate.rule->promise) {
    case Promise::kNone: FAIL() << "no rule";
    case Promise::kNorm: EXPECT_LE(Norm(result), longest * (1 + kRounding<T>)); return;
    case Promise::kStep:
      EXPECT_LE(Norm(result), aggregate.number * static_cast<double>(aggregate.count) * (1 + kRounding<T>));
      return;
    case Promise::kRange: break;
  }
  for (size_t j = 0; j < result.size(); ++j) {
    T least = vectors[0][j], most = least;
    for (size_t i = 1; i < honest; ++i) least = std::min(least, vectors[i][j]), most = std::max(most, vectors[i][j]);
    ASSERT_GE(result[j], least) << "element " << j;
    ASSERT_LE(result[j], most) << "element " << j;
  }
}

class Rule : public ::testing::TestWithParam<std::string> {
 protected:
  const Aggregate aggregate = ParseAggregate(GetParam());

  template <typename T>
  void ExpectBreakdown() {
    constexpr size_t kSenders = 11;
    const size_t wrong = std::min(aggregate.Tolerates(kSenders), kSenders - 1);
    ASSERT_GE(wrong, 1u);
    for (const T outlier : {T(1e6), T(-1e6), std::numeric_limits<T>::max(), std::numeric_limits<T>::infinity(),
                            -std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN()}) {
      SCOPED_TRACE(outlier);
      Vectors<T> vectors = SomeVectors<T>(kSenders, kNumel);
      for (size_t i = kSenders - wrong; i < kSenders; ++i) std::ranges::fill(vectors[i], outlier);
      ExpectPromise(aggregate, vectors, kSenders - wrong, CombineAll(aggregate, vectors));
    }
  }

  template <typename T>
  void ExpectOneOrder() {
    Vectors<T> vectors = SomeVectors<T>(11, kNumel);
    const std::vector<T> before = CombineAll(aggregate, vectors);
    EXPECT_EQ(before, CombineAll(aggregate, vectors));
    if (aggregate.rule->draws) {  // senders may change places within their bucket
      std::vector<uint32_t> order(vectors.size());
      DrawOrder(3, 0, order);
      std::swap(vectors[order[0]], vectors[order[1]]);
    } else {
      std::ranges::reverse(vectors);
    }
    ExpectNear(CombineAll(aggregate, vectors), before, 3 * kRounding<T>);
  }
};

TEST_P(Rule, KeepsItsPromiseWithAsManyOutliersAsItTolerates) {
  ExpectBreakdown<double>();
  ExpectBreakdown<float>();
}

TEST_P(Rule, DoesNotAskWhoSentWhat) {
  ExpectOneOrder<double>();
  ExpectOneOrder<float>();
}

/// At once, or, where it steps from what it remembers, in as many rounds as the way is long.
TEST_P(Rule, OfMessagesThatAreAlikeIsThatMessage) {
  const Vectors<double> alike(7, SomeVectors<double>(1, kNumel)[0]);
  std::vector<double> centre(kNumel), result;
  const bool steps = aggregate.rule->promise == Promise::kStep;
  const double reach = steps ? aggregate.number * static_cast<double>(aggregate.count) : 0;
  const int rounds = steps ? static_cast<int>(std::ceil(Norm(alike[0]) / reach)) : 1;
  for (int round = 0; round < rounds; ++round) result = CombineAll(aggregate, alike, &centre, round);
  ExpectNear(result, alike[0], 1e-14);
}

TEST_P(Rule, OfOneOrTwoWorkersIsTheirMeanWhereItIsAnything) {
  for (const size_t n : {size_t{1}, size_t{2}}) {
    Vectors<double> vectors = SomeVectors<double>(n, kNumel);
    for (auto& vector : vectors)
      for (double& x : vector) x /= 4;  // within a clipping length of 10
    try {
      aggregate.Check(n);
    } catch (const ConfigError&) {
      continue;
    }
    std::vector<double> mean(kNumel);
    const std::vector<double> result = CombineAll(aggregate, vectors);
    for (const auto& vector : vectors)
      for (size_t j = 0; j < kNumel; ++j) mean[j] += vector[j] / static_cast<double>(n);
    if (aggregate.rule->promise == Promise::kNorm && n == 2) {  // the longer one is cut
      EXPECT_LT(Norm(result), Norm(mean));
      continue;
    }
    ExpectNear(result, mean, 1e-14);
  }
}

TEST_P(Rule, ReadsWhatItWrites) {
  EXPECT_EQ(aggregate.text(), GetParam());
  EXPECT_EQ(aggregate.rule->name(), GetParam().substr(0, GetParam().find(':')));
}

INSTANTIATE_TEST_SUITE_P(Every, Rule, ::testing::ValuesIn(testing::AggregateTexts()), [](const auto& info) {
  std::string name = info.param;
  std::ranges::replace_if(
      name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

std::vector<double> OfColumn(const char* text, const std::vector<double>& column) {
  Vectors<double> vectors;
  for (const double x : column) vectors.push_back({x});
  return CombineAll(ParseAggregate(text), vectors);
}

TEST(Aggregate, HasTheNumbersOfItsRuleByHand) {
  EXPECT_EQ(OfColumn("median", {5, 1, 100, 2, -7}), std::vector{2.0});
  EXPECT_EQ(OfColumn("median", {5, 1, 100, 2}), std::vector{3.5});
  EXPECT_EQ(OfColumn("trimmed:1", {5, 1, 100, 2, -7}), std::vector{8.0 / 3});
  EXPECT_EQ(OfColumn("trimmed:20%", {5, 1, 100, 2, -7}), std::vector{8.0 / 3});
  EXPECT_EQ(OfColumn("trimmed:2", {5, 1, 100, 2, -7}), std::vector{2.0});
  EXPECT_EQ(OfColumn("buckets:1", {5, 1, 100, 2, -7}), std::vector{2.0});
  EXPECT_EQ(OfColumn("centred_clip:1", {5, 0.25, -100, 0.5}), std::vector{(1 + 0.25 - 1 + 0.5) / 4});
  EXPECT_EQ(OfColumn("norm_cap", {5, 1, -100, 2, -7}), std::vector{(5.0 + 1 - 5 + 2 - 5) / 5});
}

TEST(Aggregate, BucketsAreOfTheRoundsOrder) {
  const std::vector<double> column = {5, 1, 100, 2, -7, 11};
  for (uint64_t draw = 0; draw < 5; ++draw) {
    std::vector<uint32_t> order(column.size());
    DrawOrder(3, draw, order);
    std::vector<double> means;
    for (const size_t b : {size_t{0}, size_t{2}, size_t{4}})
      means.push_back((column[order[b]] + column[order[b + 1]]) / 2);
    std::ranges::sort(means);
    Vectors<double> vectors;
    for (const double x : column) vectors.push_back({x});
    EXPECT_EQ(CombineAll<double>(ParseAggregate("buckets:2"), vectors, nullptr, draw)[0], means[1]);
  }
}

TEST(Aggregate, OrdersAreAllAlikeLikely) {
  std::vector<std::vector<int>> count(5, std::vector<int>(5));
  constexpr int kRounds = 5000;
  std::vector<uint32_t> order(5);
  for (uint64_t draw = 0; draw < kRounds; ++draw) {
    DrawOrder(3, draw, order);
    for (size_t place = 0; place < 5; ++place) ++count[order[place]][place];
  }
  const double mean = kRounds / 5.0, deviation = std::sqrt(mean * 4 / 5);
  for (const auto& of_sender : count)
    for (const int times : of_sender) EXPECT_NEAR(times, mean, 5 * deviation);
}

TEST(Aggregate, ClippingGoesOnFromTheRoundBefore) {
  std::vector<double> centre = {0.0};
  const Vectors<double> vectors = {{10.0}, {10.0}, {-1e6}};
  const Aggregate clip = ParseAggregate("centred_clip:3");
  EXPECT_NEAR(CombineAll(clip, vectors, &centre)[0], 1, 1e-15);
  EXPECT_NEAR(centre[0], 1, 1e-15);
  EXPECT_NEAR(CombineAll(clip, vectors, &centre)[0], 2, 1e-15);
  EXPECT_NEAR(CombineAll<double>(ParseAggregate("centred_clip:3:2"), vectors)[0], 2, 1e-15) << "two steps of one round";
}

TEST(Aggregate, SaysHowManyItTolerates) {
  EXPECT_EQ(ParseAggregate("mean").Tolerates(10), 0u);
  EXPECT_EQ(ParseAggregate("median").Tolerates(10), 4u);
  EXPECT_EQ(ParseAggregate("median").Tolerates(11), 5u);
  EXPECT_EQ(ParseAggregate("trimmed:10%").Tolerates(10), 1u);
  EXPECT_EQ(ParseAggregate("trimmed:29%").Tolerates(100), 29u);
  EXPECT_EQ(ParseAggregate("buckets:2").Tolerates(10), 2u);
  EXPECT_EQ(ParseAggregate("buckets:3").Tolerates(10), 1u);
}

TEST(Aggregate, WhatIsNoneIsRefused) {
  for (const char* text : {"", "mode", "median:1", "trimmed", "trimmed:0", "trimmed:50%", "trimmed:-1", "trimmed:nan",
                           "trimmed:1:2", "buckets:0", "buckets:x", "centred_clip", "centred_clip:0",
                           "centred_clip:inf", "centred_clip:1:0", "centred_clip:1:101", "norm_cap:2", "mean:3"})
    EXPECT_THROW(ParseAggregate(text), ConfigError) << text;
  const auto refusal = [](const char* text, size_t senders) -> std::string {
    try {
      ParseAggregate(text).Check(senders);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "none";
  };
  EXPECT_EQ(refusal("trimmed:2", 4),
            "comm.aggregate: trimmed:2 of 4 workers leaves nothing; expected fewer on each side");
  EXPECT_EQ(refusal("trimmed:10%", 9),
            "comm.aggregate: trimmed:10% of 9 workers cuts nobody; expected a larger share, or mean");
  for (const char* text : {"buckets:2", "buckets:4", "buckets:1000000000"})
    EXPECT_EQ(refusal(text, 4), std::string("comm.aggregate: ") + text +
                                    " of 4 workers has fewer than three buckets, whose median is a mean; expected "
                                    "smaller ones, or mean");
  EXPECT_EQ(refusal("buckets:2", 5), "none");
  EXPECT_EQ(refusal("trimmed:9223372036854775808", 5),
            "comm.aggregate: trimmed:9223372036854775808 of 5 workers leaves nothing; expected fewer on each side");
  EXPECT_EQ(refusal("buckets:4", 1), "none");
  EXPECT_EQ(refusal("trimmed:10%", 1), "none");
  EXPECT_EQ(refusal("trimmed:10%", 10), "none");
  EXPECT_EQ(refusal("median", 2), "none");
}

}  // namespace
}  // namespace gradwire
