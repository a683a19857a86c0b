// SPDX-License-Identifier: Apache-2.0
// What comm.when comes to on ranks that are threads, over links that are slowed down.
#include "method/ask.h"

#include <mutex>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/exchange.h"
#include "gradwire/method.h"
#include "support/ranks.h"
#include "support/slow_collective.h"

namespace gradwire {
namespace {

using ::testing::HasSubstr;
using testing::RunRanks;
using testing::SlowCollective;

PaysJob JobOfLayers() { return {{{"a", {512, 512}}, {"b", {512}}}}; }

/// Each rank's answer as text, over links of such rates by rank.
std::vector<std::string> Answers(const CommConfig& comm, const std::vector<double>& bytes_per_s,
                                 const PaysJob& job = JobOfLayers()) {
  std::vector<std::string> answers(bytes_per_s.size());
  RunRanks(static_cast<int>(bytes_per_s.size()), [&](Collective& collective) {
    const auto rank = static_cast<size_t>(collective.rank());
    SlowCollective link(collective, bytes_per_s[rank]);
    const WhenAnswer answer = AskWhen(link, comm, job, /*seconds=*/0.2);
    answers[rank] = answer.word() + ": " + answer.reason;
  });
  return answers;
}

TEST(When, AutoIsPaysWhereNeitherAMethodNorAnOperatorIsNamed) {
  EXPECT_TRUE(PaysIsAsked({}));
  EXPECT_TRUE(PaysIsAsked({.down = "ef", .topology = "sharded"}));
  EXPECT_FALSE(PaysIsAsked({.method = "ef"}));
  EXPECT_FALSE(PaysIsAsked({.compressor = "sign"}));
  EXPECT_FALSE(PaysIsAsked({.down = "ef", .down_compressor = "sign"}));
  EXPECT_FALSE(PaysIsAsked({.when = "always"}));
  EXPECT_TRUE(PaysIsAsked({.method = "ef", .compressor = "sign", .when = "pays"}));
}

TEST(When, WhatIsSettledMeansTheSame) {
  for (const CommConfig& comm : {CommConfig{}, {.method = "ef"}, {.compressor = "topk:1%"}, {.when = "always"}}) {
    const CommConfig settled = Settled(comm);
    EXPECT_EQ(PaysIsAsked(settled), PaysIsAsked(comm));
    EXPECT_EQ(FindMethod(settled.method).name, FindMethod(comm.method).name);
    EXPECT_NE(settled.when, "auto");
    EXPECT_NE(settled.method, "auto");
  }
}

TEST(When, ASlowLinkCompresses) {
  for (const std::string& answer : Answers({}, {1e7, 1e7})) EXPECT_THAT(answer, HasSubstr("compress: comm.when: pays"));
}

TEST(When, WhatCannotBeSmallerStaysDense) {
  const CommConfig comm = {.when = "pays", .min_compress_numel = 1 << 30};  // all of it travels dense, on a slow link
  for (const std::string& answer : Answers(comm, {1e7, 1e7})) EXPECT_THAT(answer, HasSubstr("dense: comm.when: pays"));
}

TEST(When, RanksThatMeasureOtherNumbersAgree) {
  for (const std::vector<double>& rates : {std::vector<double>{1e7, 1e10}, {1e10, 1e7, 1e8}, {1e10, 1e10, 1e10}}) {
    const std::vector<std::string> answers = Answers({}, rates);
    EXPECT_EQ(std::set<std::string>(answers.begin(), answers.end()).size(), 1u);
    EXPECT_THAT(answers[0], HasSubstr("an exchange of dense gradients costs"));
  }
  EXPECT_THAT(Answers({}, {1e10, 1e7})[0], HasSubstr("compress:")) << "the slowest rank's link is what all wait for";
}

TEST(When, ByNumbersAFastLoopbackIsDenseAndASlowLinkCompresses) {
  const PaysJob resnet = {{{"w", {11'173'962, 1}}}};
  const OperatorCosts signs = {8e-3, 3e-3};
  const LinkCosts loopback = {5e-5, 5e9, 5e-5, 8e9}, slow = {1e-4, 1.2e8, 1e-4, 1.2e8};
  EXPECT_EQ(AnswerBy({}, resnet, 2, loopback, signs).word(), "dense");
  EXPECT_EQ(AnswerBy({}, resnet, 2, slow, signs).word(), "compress");
  EXPECT_THAT(AnswerBy({}, resnet, 2, slow, signs).reason, HasSubstr("ef + sign is taken"));
}

TEST(When, WhoNamesAMethodGetsItAndIsToldWhereDenseIsFaster) {
  const PaysJob resnet = {{{"w", {11'173'962, 1}}}};
  const LinkCosts loopback = {5e-5, 5e9, 5e-5, 8e9}, slow = {1e-4, 1.2e8, 1e-4, 1.2e8};
  const WhenAnswer warned = AnswerBy({.method = "ef"}, resnet, 2, loopback, {8e-3, 3e-3});
  EXPECT_EQ(warned.word(), "always");
  EXPECT_TRUE(warned.compresses);
  EXPECT_THAT(warned.reason, HasSubstr("ef + sign is named and taken, where dense would be faster"));
  EXPECT_EQ(AnswerBy({.method = "ef"}, resnet, 2, slow, {8e-3, 3e-3}).reason, "");
}

TEST(When, OneRankAndWhatCompressesNothingAreNotMeasured) {
  EXPECT_THAT(Answers({}, {1e7})[0], HasSubstr("dense: comm.when: one rank"));
  EXPECT_THAT(Answers({.method = "none", .when = "pays"}, {1e7, 1e7})[1], HasSubstr("compresses nothing"));
}

TEST(When, ARankThatDoesNotAskIsRefusedWithTheDifference) {
  EXPECT_THROW(RunRanks(2,
                        [](Collective& collective) {
                          if (collective.rank() == 0) {
                            AskWhen(collective, {}, JobOfLayers(), 0.1);
                          } else {
                            Exchange<float>(collective, JobOfLayers().parameters, MakeParts({.method = "ef"}, 0));
                          }
                        }),
               ConfigError);
}

TEST(When, StayingDenseIsMethodNoneWithTheSameWaits) {
  const CommConfig dense = DenseOf({.compressor = "topk:1%", .bucket_cap_mb = 3, .threads = "2", .timeout_s = 7});
  EXPECT_EQ(MakeParts(dense, 1).method, "none");
  EXPECT_EQ(dense.timeout_s, 7);
  EXPECT_EQ(dense.bucket_cap_mb, 3);
  EXPECT_EQ(MakeParts(dense, 1).threads, 2u);
}

TEST(When, IsRefusedWhereGradientsMustNotGoBare) {
  try {
    Check({.method = "clip21", .when = "pays", .noise = 1});
    FAIL() << "noise would be left out";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("comm.when: pays may send bare gradients"));
  }
  EXPECT_THROW(Check({.when = "never"}), ConfigError);
}

}  // namespace
}  // namespace gradwire
