// SPDX-License-Identifier: Apache-2.0
#include "analysis/scaling.h"

#include <cmath>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/scale_sweep.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

using ::testing::HasSubstr;

std::map<std::string_view, double> Factors(const ScalingRule& rule, const ScaleChange& change) {
  std::map<std::string_view, double> factors;
  for (const ScaleRemedy& remedy : rule.remedies(change))
    if (remedy.size() == 1) factors[remedy[0].setting] = remedy[0].factor;
  return factors;
}

/// By hand: from no compression to omega = 4, eta is divided by 5, or N or B multiplied by 5; two times the workers
/// beside it leave 2.5.
TEST(ScalingRules, DcsgdPaysForOmegaByOneOfThree) {
  const ScalingRule keep = RulesOf("dcsgd")[0];
  EXPECT_EQ(Factors(keep, {.omega_after = 4}),
            (std::map<std::string_view, double>{{"eta", 1.0 / 5}, {"workers", 5}, {"batch", 5}}));
  EXPECT_DOUBLE_EQ(Factors(keep, {.alpha = 2, .omega_after = 4})["batch"], 2.5);
}

/// From omega = 4 to 9 the two references differ by the 1 + omega of now: 5.
TEST(ScalingRules, TheTwoReferencesDifferByTheCompressionOfNow) {
  const auto rules = RulesOf("dcsgd");
  ASSERT_EQ(rules.size(), 2u);
  const ScaleChange change{.omega_before = 4, .omega_after = 9};
  EXPECT_DOUBLE_EQ(Factors(rules[0], change)["eta"], 0.5);  // the compressed level of now
  EXPECT_DOUBLE_EQ(Factors(rules[1], change)["eta"], 0.1);  // the uncompressed one
}

TEST(ScalingRules, SignsFollowTheRootOfTheBatchAndNoCompression) {
  const ScalingRule rule = RulesOf("dsignsgd")[0];
  EXPECT_DOUBLE_EQ(Factors(rule, {.delta = 4})["eta"], 2);
  EXPECT_DOUBLE_EQ(Factors(rule, {.kappa = 2})["batch"], 4);
  EXPECT_DOUBLE_EQ(Factors(rule, {.kappa = 2})["workers"], 2);
  EXPECT_DOUBLE_EQ(Factors(rule, {.omega_after = 9})["eta"], 1);
}

TEST(ScalingRules, TheRivalLeavesTheDecayAndScalesBetasByTheBatchItself) {
  const auto rules = RulesOf("adamw");
  ASSERT_EQ(rules.size(), 2u);
  const auto of = [](const ScaleRemedy& remedy, std::string_view setting) {
    for (const ScaleStep& step : remedy)
      if (step.setting == setting) return step.factor;
    return 1.0;
  };
  const ScaleRemedy ours = rules[0].remedies({.delta = 16})[0], rival = rules[1].remedies({.delta = 16})[0];
  EXPECT_DOUBLE_EQ(of(ours, "eta"), 4);
  EXPECT_DOUBLE_EQ(of(rival, "eta"), 4);
  EXPECT_DOUBLE_EQ(of(ours, "1 - beta2"), 4);
  EXPECT_DOUBLE_EQ(of(rival, "1 - beta2"), 16);
  EXPECT_DOUBLE_EQ(of(ours, "decay"), 4);
  EXPECT_DOUBLE_EQ(of(rival, "decay"), 1);
}

/// Whatever was changed, after any remedy there is nothing left to do.
TEST(ScalingRules, AfterARemedyNothingIsLeftToDo) {
  const ScaleChange change{.kappa = 3, .delta = 0.5, .alpha = 2, .omega_before = 1, .omega_after = 7};
  for (const ScalingRule& rule : ScalingRules())
    for (const ScaleRemedy& remedy : rule.remedies(change))
      for (const ScaleRemedy& left : rule.remedies(After(change, remedy)))
        EXPECT_NEAR(left[0].factor, 1, 1e-12) << rule.name << " " << left[0].setting;
}

TEST(ScalingRules, AMethodWithoutARuleIsRefused) {
  try {
    RulesOf("diana");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("method: no scaling rule for diana; expected one of dcsgd, dsgd, sgd, dsignsgd"));
  }
}

const ScaleLevel& LevelOf(const std::vector<ScaleLevel>& levels, const std::string& name) {
  for (const ScaleLevel& level : levels)
    if (level.name == name) return level;
  throw Error("no level " + name);
}

/// (eta^2 / N)(1 + omega) d s^2 / (1 - (1 - eta)^2 - eta^2 omega / N) with d = 10, N = 4, eta = 0.05.
TEST(ScaleSweep, ExactLevelsAreThoseOfTheFormula) {
  const std::vector<ScaleLevel> levels = ScaleLevels();
  EXPECT_NEAR(LevelOf(levels, "nothing compressed").exact, 0.06410, 5e-6);
  EXPECT_NEAR(LevelOf(levels, "randk:2").exact, 0.32895, 5e-6);
  EXPECT_NEAR(LevelOf(levels, "randk:2, eta / 5").exact, 0.06313, 5e-6);
  EXPECT_NEAR(LevelOf(levels, "randk:2, N x 5").exact, 0.06443, 5e-6);
  EXPECT_NEAR(LevelOf(levels, "randk:2, B x 5").exact, 0.06579, 5e-6);
}

/// An independent simulation of four workers' signs gave 1.560e-3.
TEST(ScaleSweep, LevelsOfSignsAreTheKnownOne) {
  const std::vector<ScaleLevel> levels = ScaleLevels();
  for (const char* name : {"N = 4, eta = 0.01", "N x 2, eta x 2", "B x 4, eta x 2"})
    EXPECT_NEAR(LevelOf(levels, name).exact, 1.560e-3, 0.03 * 1.560e-3) << name;
}

/// Near the formula, and near the group's first level where a rule says so and only there, within the tolerances and 3
/// standard errors.
TEST(ScaleSweep, SimulatedLevelsAreTheExactOnesAndRulesKeepThem) {
  for (const ScaleOutcome& outcome : RunScaleSweep(192, 1, 2, 3)) {
    EXPECT_TRUE(outcome.holds) << outcome.level.group << ", " << outcome.level.name << ": " << outcome.found.value
                               << " +- " << outcome.found.error << ", exact " << outcome.level.exact
                               << ", of the first " << outcome.of_first.value;
    EXPECT_LT(outcome.found.error, 0.05 * outcome.found.value) << outcome.level.name << ": too few paths to tell";
  }
}

}  // namespace
}  // namespace gradwire
