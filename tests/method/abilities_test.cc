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
  EXPECT_EQ(Refused({}), (std::set<std::string_view>{"marina", "pp_marina", "vr_marina", "vr_diana", "ec_lsvrg",
                                                     "ec_lsvrg_diana", "ec_lsvrg_star", "ec_star"}));
  EXPECT_EQ(Refused({.same_batch = true}),
            (std::set<std::string_view>{"vr_diana", "ec_lsvrg", "ec_lsvrg_diana", "ec_lsvrg_star", "ec_star"}));
  EXPECT_EQ(Refused({.same_batch = true, .anchors = true}), (std::set<std::string_view>{"ec_lsvrg_star", "ec_star"}));
  EXPECT_EQ(Refused({.same_batch = true, .anchors = true, .solution = true}), (std::set<std::string_view>{}));
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

}  // namespace
}  // namespace gradwire
