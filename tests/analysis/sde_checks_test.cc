// SPDX-License-Identifier: Apache-2.0
#include "analysis/sde_checks.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

/// Every row with a sixth of its paths: within its tolerance and 3 standard errors. `gradwire analyse sde --check` has
/// all of them, and no errors beside.
class SdeExperimentTest : public testing::TestWithParam<size_t> {};

TEST_P(SdeExperimentTest, TheMethodAndItsSdeGiveThePapersNumbers) {
  SdeExperiment experiment = SdeExperiments()[GetParam()];
  experiment.run.paths /= 6, experiment.run.threads = 2;
  const SdeResult result = RunSde(experiment.run);
  for (const SdeCheck& check : experiment.checks) {
    const SdeVerdict verdict = Judge(check, result, 3);
    EXPECT_TRUE(verdict.holds) << experiment.name << ", " << NameOf(check.quantity) << " " << check.from << ": "
                               << verdict.discrete.value << " +- " << verdict.discrete.error << ", "
                               << verdict.integrated.value << " +- " << verdict.integrated.error;
    EXPECT_LT(verdict.quotient.error, 0.05 + (check.quantity == Quantity::kMean)) << "too few paths to tell";
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, SdeExperimentTest, testing::Range(size_t{0}, SdeExperiments().size()));

/// The numbers that the papers' formulas give at these settings.
TEST(SdeExperiments, PaperNumbersAreTheKnownOnes) {
  const auto paper = [](const std::string& name, size_t check) {
    for (const SdeExperiment& experiment : SdeExperiments())
      if (experiment.name == name) return *experiment.checks.at(check).paper;
    return -1.0;
  };
  EXPECT_NEAR(paper("signsgd", 0), 9.255e-3, 5e-7);                     // 0.5 exp(-5 sqrt(2 / pi))
  EXPECT_NEAR(paper("signsgd", 1), 6.24e-3, 5e-6);                      // eta / (2 a + eta a^2)
  EXPECT_NEAR(paper("dsignsgd, student:1, N = 4", 0), 1.963e-3, 5e-7);  // (0.01 / 8) / (2 / pi)
  EXPECT_NEAR(paper("dsgd, N = 4", 0), 0.06410, 5e-6);
  EXPECT_NEAR(paper("dcsgd, randk:2 of 10, N = 4", 0), 0.32895, 5e-6);
}

/// Both are judged, and a number that is none is never near.
TEST(SdeExperiments, ACheckFailsWhereEitherNumberIsOff) {
  const SdeResult result = RunSde({.method = "sgd", .settings = {.eta = 0.1}, .time = 0.1, .paths = 128});
  const double found = result.discrete.At(1, Quantity::kMean).value;
  EXPECT_TRUE(Judge({Quantity::kMean, found, 0.2, true, ""}, result).holds);
  EXPECT_FALSE(Judge({Quantity::kMean, found, 1e-9, true, ""}, result).holds) << "the SDE has another number";
  EXPECT_FALSE(Judge({Quantity::kMean, result.integrated.At(1, Quantity::kMean).value, 1e-9, true, ""}, result).holds)
      << "the method has another number";
  EXPECT_FALSE(Judge({Quantity::kMean, 2 * found, 0.2, true, ""}, result).holds);
  EXPECT_FALSE(Judge({Quantity::kMean, std::nan(""), 1, false, ""}, result).holds);
  EXPECT_TRUE(Judge({Quantity::kMean, std::nullopt, 0.2, true, ""}, result).holds);
  EXPECT_FALSE(Judge({Quantity::kMean, std::nullopt, 1e-9, true, ""}, result).holds);
}

TEST(SdeRun, TheSdeIsRecordedAtTheTimesOfTheMethod) {
  const SdeResult result = RunSde({.method = "sgd", .settings = {.eta = 0.02}, .time = 1, .dt = 0.005, .paths = 128});
  ASSERT_EQ(result.discrete.times().size(), 51u);
  for (size_t i = 0; i < 51; ++i) EXPECT_NEAR(result.integrated.times()[i], result.discrete.times()[i], 1e-12);
  EXPECT_NEAR(result.discrete.times()[result.end()], 1, 1e-12);
}

TEST(SdeRun, ATimeThatIsNoMultipleOfEtaIsRefused) {
  for (const double time : {0.0, -1.0, 0.505, std::nan("")})
    EXPECT_THROW(RunSde({.method = "sgd", .settings = {.eta = 0.01}, .time = time, .paths = 128}), ConfigError) << time;
  EXPECT_THROW(RunSde({.method = "sgd", .settings = {.eta = 1e-9}, .time = 1, .paths = 100000}), ConfigError);
}

}  // namespace
}  // namespace gradwire
