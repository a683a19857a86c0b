// SPDX-License-Identifier: Apache-2.0
#include "gradwire/cost.h"

#include <gtest/gtest.h>

#include "gradwire/method.h"

namespace gradwire {
namespace {

const std::vector<Parameter> kParameters = {{"weight", {512, 512}}, {"bias", {512}}};

ExchangeParts Parts(const char* method, const char* compressor) {
  CommConfig config;
  config.method = method;
  config.compressor = compressor;
  return MakeParts(config, 0);
}

TEST(Cost, ADenseRingSendsTwoNMinusOneOverN) {
  EXPECT_EQ(DenseRingBytes(kParameters, 4), 2 * 3 * 4 * (512 * 512 + 512) / 4);
  EXPECT_EQ(DenseRingBytes(kParameters, 1), 0u);
  EXPECT_EQ(SentBytes(Parts("none", "identity"), kParameters, 4), DenseRingBytes(kParameters, 4));
}

TEST(Cost, SignSendsItsBitsItsScalesTheDenseBiasAndAFrame) {
  const uint64_t message = 80 + 512 * 512 / 8 + 512 * 512 / 1024 * 4 + 512 * 4;
  EXPECT_EQ(SentBytes(Parts("ef", "sign"), kParameters, 3), 2 * message);
}

TEST(Cost, OfPartOfTheWorkersIsThatOfAMeanRound) {
  ExchangeParts parts = Parts("dcgd", "sign");
  const uint64_t all = SentBytes(parts, kParameters, 8), compressed = 512 * 512 / 8 + 512 * 512 / 1024 * 4;
  parts.participation = ParseParticipation("nice:25%");
  const uint64_t table = 32;  // the sizes of five payloads, padded
  EXPECT_EQ(SentBytes(parts, kParameters, 8), all + 7 * (table - compressed + compressed / 4));
  parts.participation = ParseParticipation("independent:50%,25%");
  EXPECT_EQ(SentBytes(parts, kParameters, 8), all + 7 * (table - compressed + compressed * 3 / 8));
}

TEST(Cost, WarnsExactlyWhereTheRingSendsNoMore) {
  EXPECT_FALSE(CostWarning(Parts("ef", "sign"), kParameters, 8));
  EXPECT_FALSE(CostWarning(Parts("none", "identity"), kParameters, 8));
  EXPECT_FALSE(CostWarning(Parts("ef", "topk:50%"), kParameters, 1));  // nothing is sent at all
  const auto warning = CostWarning(Parts("ef", "topk:50%"), kParameters, 8);
  ASSERT_TRUE(warning);
  EXPECT_NE(warning->find("topk:50%"), std::string::npos);
}

TEST(Cost, OfFactorsSaysWhichMatricesHaveNone) {
  EXPECT_FALSE(FactorNotice(Parts("ef", "sign"), kParameters));
  EXPECT_EQ(FactorNotice(Parts("powersgd", "rank:4"), kParameters).value_or(""),
            "powersgd: rank:4 factors of 1 matrices; without gain, and dense: no matrix");
  std::vector<Parameter> parameters = kParameters;
  for (int i = 0; i < 10; ++i) parameters.push_back({"flat" + std::to_string(i), {256, 2, 2}});
  const std::string notice = FactorNotice(Parts("powersgd", "rank:4"), parameters).value_or("");
  EXPECT_NE(notice.find("dense: flat0 [256, 2, 2], flat1 [256, 2, 2]"), std::string::npos) << notice;
  EXPECT_NE(notice.find("flat7 [256, 2, 2] and 2 more"), std::string::npos) << notice;
}

}  // namespace
}  // namespace gradwire
