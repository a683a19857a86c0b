// SPDX-License-Identifier: Apache-2.0
// Laws of the model that comm.when: pays asks, on measured numbers and made-up ones.
#include "method/cost_model.h"

#include <cmath>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gradwire {
namespace {

using testing::HasSubstr;

constexpr uint64_t kDense = 44'695'848;  // ResNet-18's float32, which a ring of two ranks sends once

/// ef + sign on two cores of an AMD EPYC, two ranks: an update is 3.3 ms, encoding 1.2 of it (DESIGN.md).
CostQuestion Signs(double bytes_per_s) {
  return {
      .link = {.latency_s = 1e-4, .bytes_per_s = bytes_per_s, .sum_latency_s = 1e-4, .sum_bytes_per_s = bytes_per_s},
      .dense_bytes = kDense,
      .compressed_bytes = kDense / 32,
      .encode_s = 8e-3,
      .decode_s = 3e-3};
}

CostQuestion WithRate(CostQuestion question, double bytes_per_s) {
  question.link.bytes_per_s = question.link.sum_bytes_per_s = bytes_per_s;
  return question;
}

/// Anything that might be measured, over five orders of magnitude.
CostQuestion Random(std::mt19937_64& random) {
  const auto log_uniform = [&](double low, double high) {
    return low * std::pow(high / low, std::uniform_real_distribution<>()(random));
  };
  CostQuestion question = Signs(log_uniform(1e5, 1e10));
  question.ranks = 2 + static_cast<int>(random() % 63), question.ranks_per_host = 1 + static_cast<int>(random() % 8);
  question.compressed_bytes = static_cast<uint64_t>(log_uniform(1e4, 2e8));
  question.dense_bytes = static_cast<uint64_t>(log_uniform(1e5, 2e8));
  question.encode_s = log_uniform(1e-5, 1), question.decode_s = log_uniform(1e-5, 1);
  question.backward_s = random() % 2 ? log_uniform(1e-3, 1) : 0;
  question.is_summed = random() % 4 == 0;
  return question;
}

TEST(CostModel, AFastLoopbackIsDenseAndASlowLinkCompressed) {
  EXPECT_FALSE(Judge(Signs(8e9)).pays) << Judge(Signs(8e9)).reason;       // memory to memory
  EXPECT_TRUE(Judge(Signs(1.25e8)).pays) << Judge(Signs(1.25e8)).reason;  // 1 Gbit/s
  EXPECT_TRUE(Judge(Signs(1.25e7)).pays);
}

TEST(CostModel, SecondsAreBytesOverRateAndWorkByHand) {
  const CostAnswer answer = Judge(Signs(1e8));
  EXPECT_NEAR(answer.dense_s, 1e-4 + 0.44695848, 1e-9);
  EXPECT_NEAR(answer.compressed_s, 1e-4 + 1.6 * (8e-3 + 3e-3) + 1'396'745 / 1e8, 1e-9);
  EXPECT_THAT(answer.reason, HasSubstr("dense gradients costs 447 ms (44.7 MB at 100 MB/s)"));
  EXPECT_THAT(answer.reason, HasSubstr("encoding 8 ms, decoding 3 ms"));
  EXPECT_THAT(answer.reason, HasSubstr("compression pays"));
}

TEST(CostModel, MoreBandwidthNeverMakesCompressionPayMore) {
  std::mt19937_64 random(1);
  int paid = 0, changed = 0;
  for (int i = 0; i < 20'000; ++i) {
    const CostQuestion slow = Random(random);
    const CostQuestion fast =
        WithRate(slow, slow.link.bytes_per_s * (1 + 9 * std::uniform_real_distribution<>()(random)));
    if (Judge(fast).pays) EXPECT_TRUE(Judge(slow).pays) << Judge(fast).reason << "\n" << Judge(slow).reason;
    paid += Judge(slow).pays, changed += Judge(slow).pays != Judge(fast).pays;
  }
  EXPECT_GT(paid, 1000) << "the law was never put to the test";
  EXPECT_GT(changed, 200);
}

TEST(CostModel, IsMonotoneInBytesAndInWork) {
  std::mt19937_64 random(2);
  int changed = 0;
  for (int i = 0; i < 20'000; ++i) {
    const CostQuestion question = Random(random);
    const CostAnswer answer = Judge(question);
    CostQuestion more = question;
    more.compressed_bytes *= 2, more.encode_s *= 1.5, more.decode_s *= 1.5;
    EXPECT_GE(Judge(more).compressed_s, answer.compressed_s);
    if (Judge(more).pays) EXPECT_TRUE(answer.pays) << answer.reason;
    CostQuestion larger = question;
    larger.dense_bytes *= 2;
    EXPECT_GE(Judge(larger).dense_s, answer.dense_s);
    if (answer.pays) EXPECT_TRUE(Judge(larger).pays) << answer.reason;
    changed += Judge(more).pays != answer.pays || Judge(larger).pays != answer.pays;
  }
  EXPECT_GT(changed, 500) << "the law was never put to the test";
}

TEST(CostModel, WhatPaysIsFasterByMoreThanMeasurementsAreWrongBy) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 20'000; ++i) {
    const CostAnswer answer = Judge(Random(random));
    if (answer.pays) EXPECT_LT(answer.compressed_s, answer.dense_s) << answer.reason;
  }
  CostQuestion close = Signs(1e8);
  close.encode_s = 0.26;  // 0.435 s against 0.447
  EXPECT_FALSE(Judge(close).pays);
  EXPECT_THAT(Judge(close).reason, HasSubstr("too little to be sure of"));
}

TEST(CostModel, ABackwardPassHidesTheWayAndNotTheWork) {
  CostQuestion question = Signs(1e9);
  ASSERT_TRUE(Judge(question).pays);  // 44.8 ms against 19.1
  question.backward_s = 1;
  EXPECT_NEAR(Judge(question).dense_s, 1e-4, 1e-12);
  EXPECT_NEAR(Judge(question).compressed_s, 1e-4 + 1.6 * 11e-3, 1e-12);
  EXPECT_FALSE(Judge(question).pays);
}

TEST(CostModel, RanksOfAHostShareItsLink) {
  CostQuestion question = Signs(1e8);
  question.ranks = 8;
  const double alone = Judge(question).compressed_s;
  question.ranks_per_host = 4;  // 4 of 7 messages of each of 4 ranks leave the host
  EXPECT_NEAR(Judge(question).compressed_s - alone, (16.0 / 7 - 1) * 1'396'745 / 1e8, 1e-6);
  question.ranks_per_host = 8;  // none leaves it
  EXPECT_EQ(Judge(question).compressed_s, alone);
}

TEST(CostModel, WhatSendsNoLessNeverPays) {
  CostQuestion question = Signs(1e8);
  question.compressed_bytes = question.dense_bytes;
  question.link.bytes_per_s = 1e10;  // messages that are faster than sums, as over loopback
  EXPECT_FALSE(Judge(question).pays);
}

TEST(CostModel, OneRankNeverPays) {
  CostQuestion question = Signs(1e3);
  question.ranks = 1;
  EXPECT_FALSE(Judge(question).pays);
}

}  // namespace
}  // namespace gradwire
