// SPDX-License-Identifier: Apache-2.0
#include "train/config/lr_schedule.h"

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

namespace gradwire::train {
namespace {

constexpr int64_t kPerEpoch = 10, kTotal = 100;

double At(const LrSchedule& schedule, int64_t step) { return LearningRate(schedule, step, kPerEpoch, kTotal); }

TEST(LrScheduleTest, ConstantStaysAtLr) {
  const LrSchedule schedule{.lr = 0.3};
  for (const int64_t step : {0, 1, 50, 99}) EXPECT_EQ(At(schedule, step), 0.3);
}

TEST(LrScheduleTest, WarmupRisesInEqualStepsAndEndsAtLr) {
  const LrSchedule schedule{.lr = 0.4, .warmup_epochs = 2};
  EXPECT_DOUBLE_EQ(At(schedule, 0), 0.4 / 20);
  for (int64_t step = 1; step < 20; ++step) EXPECT_NEAR(At(schedule, step) - At(schedule, step - 1), 0.4 / 20, 1e-15);
  EXPECT_DOUBLE_EQ(At(schedule, 19), 0.4);
  EXPECT_DOUBLE_EQ(At(schedule, 20), 0.4);
}

TEST(LrScheduleTest, MultistepMultipliesByGammaFromEachMilestoneOn) {
  const LrSchedule schedule{.lr = 1, .decay = LrDecay::kMultistep, .milestones = {3, 5.5}, .gamma = 0.5};
  EXPECT_EQ(At(schedule, 29), 1);
  EXPECT_EQ(At(schedule, 30), 0.5);
  EXPECT_EQ(At(schedule, 54), 0.5);
  EXPECT_EQ(At(schedule, 55), 0.25);
  EXPECT_EQ(At(schedule, 99), 0.25);
}

TEST(LrScheduleTest, CosineFallsFromLrToZeroAtTheEnd) {
  const LrSchedule schedule{.lr = 0.2, .decay = LrDecay::kCosine};
  EXPECT_DOUBLE_EQ(At(schedule, 0), 0.2);
  EXPECT_DOUBLE_EQ(At(schedule, 50), 0.1);
  for (int64_t step = 1; step <= kTotal; ++step) {
    EXPECT_LT(At(schedule, step), At(schedule, step - 1));
    const double expected = 0.1 * (1 + std::cos(std::numbers::pi * static_cast<double>(step) / 100));
    EXPECT_NEAR(At(schedule, step), expected, 1e-15);
  }
  EXPECT_NEAR(At(schedule, kTotal), 0, 1e-15);
}

TEST(LrScheduleTest, CosineStartsWhereTheWarmupEnds) {
  const LrSchedule schedule{.lr = 0.2, .decay = LrDecay::kCosine, .warmup_epochs = 2};
  EXPECT_DOUBLE_EQ(At(schedule, 9), 0.1);  // the middle of the 20 steps of warm-up
  EXPECT_DOUBLE_EQ(At(schedule, 20), 0.2);
  EXPECT_DOUBLE_EQ(At(schedule, 60), 0.1);  // the middle of the 80 steps that are left
  EXPECT_NEAR(At(schedule, kTotal), 0, 1e-15);
}

TEST(LrScheduleTest, ARunThatIsAllWarmupHasNoDecay) {
  const LrSchedule schedule{.lr = 0.2, .decay = LrDecay::kCosine, .warmup_epochs = 20};
  EXPECT_DOUBLE_EQ(At(schedule, 99), 0.1);  // step 100 of 200
}

TEST(LrScheduleTest, InverseHalvesAfterItsShift) {
  const LrSchedule schedule{.lr = 0.8, .decay = LrDecay::kInverse, .shift = 10, .warmup_epochs = 0.5};
  EXPECT_DOUBLE_EQ(LearningRate(schedule, 0, 10, 1000), 0.16);  // the warm-up's fifth
  for (const auto& [step, lr] : {std::pair{5, 0.8}, {15, 0.4}, {25, 0.8 / 3}, {995, 0.008}})
    EXPECT_DOUBLE_EQ(LearningRate(schedule, step, 10, 1000), lr);
}

}  // namespace
}  // namespace gradwire::train
