// SPDX-License-Identifier: Apache-2.0
// What comm.aggregate goes with, and that the rest is refused by its key.
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exchange/topologies.h"
#include "gradwire/error.h"
#include "gradwire/method.h"
#include "gradwire/pays.h"

namespace gradwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Refusal(const CommConfig& config) {
  try {
    Check(config);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "none";
}

TEST(Aggregation, OfEveryMethodIsTakenOrRefusedByName) {
  int taken = 0;
  for (const Method& method : Methods()) {
    CommConfig config;
    config.method = method.name, config.aggregate = "median";
    const ExchangeParts parts = MakeParts({.method = std::string(method.name)}, 0);
    const bool is_apart = !parts.link.shifts() && !parts.learner && !parts.votes && !parts.link.iterates;
    const std::string refusal = Refusal(config);
    if (is_apart) {
      EXPECT_EQ(refusal, "none") << method.name;
      EXPECT_FALSE(FindTopology(MakeParts(config, 0).topology).sums) << method.name;
      ++taken;
    } else {
      EXPECT_THAT(refusal, AllOf(StartsWith("comm.aggregate: median: "), HasSubstr(method.name))) << method.name;
    }
    config.aggregate = "mean";
    EXPECT_EQ(MakeParts(config, 0).topology, parts.topology) << method.name;
    EXPECT_TRUE(MakeParts(config, 0).aggregate.is_mean());
  }
  EXPECT_GE(taken, 8);
}

TEST(Aggregation, IsRefusedWhereItWouldNotBeWhatHappens) {
  const auto with = [](const std::function<void(CommConfig&)>& change) {
    CommConfig config{.method = "ef"};
    config.aggregate = "trimmed:20%";
    change(config);
    return Refusal(config);
  };
  EXPECT_THAT(
      with([](CommConfig& c) { c.method = "dcgd", c.compressor = "randk:1%:common", c.topology = "allreduce"; }),
      AllOf(StartsWith("comm.topology: allreduce sums"), HasSubstr("comm.aggregate is trimmed:20%")));
  EXPECT_THAT(with([](CommConfig& c) { c.method = "dcgd", c.participation = "nice:40%"; }),
              StartsWith("comm.aggregate: trimmed:20%: comm.participation is nice:40%"));
  EXPECT_THAT(with([](CommConfig& c) { c.start_iter = 5; }),
              StartsWith("comm.aggregate: trimmed:20%: the first 5 steps"));
  EXPECT_THAT(with([](CommConfig& c) { c.when = "pays"; }),
              StartsWith("comm.aggregate: trimmed:20%: comm.when is pays"));
  EXPECT_THAT(with([](CommConfig& c) { c.aggregate = "krum"; }),
              AllOf(StartsWith("comm.aggregate: found 'krum'"), HasSubstr("median, trimmed:F, buckets:S")));
  EXPECT_EQ(with([](CommConfig&) {}), "none");
}

TEST(Aggregation, LeavesNoQuestionWhetherCompressionPays) {
  EXPECT_TRUE(PaysIsAsked({}));
  EXPECT_FALSE(PaysIsAsked({.aggregate = "median"}));
}

}  // namespace
}  // namespace gradwire
