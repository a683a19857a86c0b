// SPDX-License-Identifier: Apache-2.0
#include "gradwire/abilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "gradwire/error.h"
#include "gradwire/method.h"

namespace gradwire {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::set<std::string_view> Refused(const Abilities& given) {
  std::set<std::string_view> names;
  for (const Method& method : Methods())
    if (!Missing(method, given).empty()) names.insert(method.name);
  return names;
}

/// By the rows' own papers: what each one evaluates beside the gradient of its round.
TEST(Abilities, RowsThatNeedMoreThanGradientsAreThese) {
  using Names = std::set<std::string_view>;
  EXPECT_EQ(Refused({}), (Names{"marina", "pp_marina", "vr_marina", "vr_diana", "ec_lsvrg", "ec_lsvrg_diana",
                                "ec_lsvrg_star", "ec_star", "dcgd_plus", "diana_plus"}));
  EXPECT_EQ(Refused({.same_batch = true}),
            (Names{"vr_diana", "ec_lsvrg", "ec_lsvrg_diana", "ec_lsvrg_star", "ec_star", "dcgd_plus", "diana_plus"}));
  EXPECT_EQ(Refused({.same_batch = true, .anchors = true}),
            (Names{"ec_lsvrg_star", "ec_star", "dcgd_plus", "diana_plus"}));
  EXPECT_EQ(Refused({.same_batch = true, .anchors = true, .solution = true}), (Names{"dcgd_plus", "diana_plus"}));
  EXPECT_EQ(Refused({.same_batch = true, .anchors = true, .solution = true, .smoothness = true}), Names{});
}

TEST(Abilities, WhatIsNamedInsteadNeedsNothing) {
  for (const Method& method : Methods()) {
    if (Missing(method, {}).empty()) {
      EXPECT_EQ(method.instead, "") << method.name;
      continue;
    }
    EXPECT_EQ(Missing(FindMethod(method.instead), {}), "") << method.name;
  }
}

TEST(Abilities, ARefusalSaysWhatIsMissingForWhomAndWhatToTake) {
  CommConfig config;
  config.method = "pp_marina";
  try {
    CheckGiven(config, {}, "a hook");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("comm.method: pp_marina needs the gradient of each batch at two points"),
                                    HasSubstr("a hook gives one gradient"), HasSubstr("expected diana")));
  }
  EXPECT_NO_THROW(CheckGiven(config, {.same_batch = true}, "a hook"));
}

TEST(Abilities, OperatorsOfMatricesAreRefusedWhateverTheMethod) {
  for (const auto& [key, config] :
       {std::pair("comm.compressor", CommConfig{.method = "dcgd", .compressor = "smooth(steps)"}),
        {"comm.learner", CommConfig{.method = "ec_diana", .learner = "smooth(steps)"}}})
    try {
      CheckGiven(config, {.same_batch = true, .anchors = true, .solution = true}, "a hook");
      FAIL();
    } catch (const ConfigError& error) {
      EXPECT_EQ(error.key(), key);
      EXPECT_THAT(error.what(), AllOf(HasSubstr("smooth(steps) is made of each worker's smoothness matrix"),
                                      HasSubstr("a hook has none"), HasSubstr("steps without smooth")));
    }
}

}  // namespace
}  // namespace gradwire
