// SPDX-License-Identifier: Apache-2.0
#include "base/rank_env.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "gradwire/error.h"

namespace gradwire {
namespace {

using testing::HasSubstr;

using Variables = std::map<std::string, std::string>;

/// What torchrun sets for rank 5 of 8, the second one of 4 on its host.
Variables Torchrun() {
  return {{"RANK", "5"},
          {"WORLD_SIZE", "8"},
          {"LOCAL_RANK", "1"},
          {"LOCAL_WORLD_SIZE", "4"},
          {"MASTER_ADDR", "node0"},
          {"MASTER_PORT", "29500"}};
}

std::optional<RankEnv> RankFrom(const Variables& variables) {
  for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
                           "TORCHELASTIC_USE_AGENT_STORE"})
    unsetenv(name);
  for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
  return RankFromEnv();
}

void ExpectError(const Variables& variables, const std::string& fragment) {
  try {
    RankFrom(variables);
    FAIL() << "accepted; expected an error with: " << fragment;
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr(fragment));
  }
}

TEST(RankFromEnv, ReadsWhatTorchrunSets) {
  const auto env = RankFrom(Torchrun());
  ASSERT_TRUE(env);
  EXPECT_EQ(env->rank, 5);
  EXPECT_EQ(env->world_size, 8);
  EXPECT_EQ(env->local_rank, 1);
  EXPECT_EQ(env->local_world_size, 4);
  EXPECT_EQ(env->master_addr, "node0");
  EXPECT_EQ(env->master_port, 29500);
  EXPECT_FALSE(env->store_is_served);
}

TEST(RankFromEnv, OnlyTheWordTrueMeansThatTheStoreIsServed) {
  for (const auto& [text, served] :
       std::map<std::string, bool>{{"True", true}, {"False", false}, {"", false}, {"1", false}}) {
    Variables variables = Torchrun();
    variables["TORCHELASTIC_USE_AGENT_STORE"] = text;
    EXPECT_EQ(RankFrom(variables)->store_is_served, served) << text;
  }
}

TEST(RankFromEnv, NoRankAndNoWorldSizeMeansNotUnderTorchrun) {
  EXPECT_FALSE(RankFrom({}));
  EXPECT_FALSE(RankFrom({{"MASTER_ADDR", "left over"}, {"MASTER_PORT", "x"}, {"LOCAL_RANK", "9"}}));
}

TEST(RankFromEnv, EveryMissingVariableIsNamed) {
  for (const auto& [name, value] : Torchrun()) {
    Variables variables = Torchrun();
    variables.erase(name);
    ExpectError(variables, "environment: " + name + " is not set");
    variables[name] = "";
    ExpectError(variables, "environment: " + name + " is not set");
  }
}

TEST(RankFromEnv, NonsenseIsNamedWithWhatWasExpected) {
  const auto with = [](const char* name, const char* value) {
    Variables variables = Torchrun();
    variables[name] = value;
    return variables;
  };
  ExpectError(with("RANK", "8"), "RANK: found '8', expected an integer from 0 to 7");
  ExpectError(with("RANK", "-1"), "RANK: found '-1'");
  ExpectError(with("RANK", "1x"), "RANK: found '1x'");
  ExpectError(with("WORLD_SIZE", "0"), "WORLD_SIZE: found '0', expected an integer from 1");
  ExpectError(with("LOCAL_WORLD_SIZE", "9"), "LOCAL_WORLD_SIZE: found '9', expected an integer from 1 to 8");
  ExpectError(with("LOCAL_RANK", "4"), "LOCAL_RANK: found '4', expected an integer from 0 to 3");
  ExpectError(with("MASTER_PORT", "http"), "MASTER_PORT: found 'http', expected an integer from 1 to 65535");
  ExpectError(with("MASTER_PORT", "65536"), "MASTER_PORT: found '65536'");
}

}  // namespace
}  // namespace gradwire
