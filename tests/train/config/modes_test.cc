// SPDX-License-Identifier: Apache-2.0
#include "train/config/modes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "train/config/config_keys.h"

namespace gradwire::train {
namespace {

using testing::HasSubstr;

Config WithMode(const std::string& name) {
  Config config;
  config.train.mode = name;
  return config;
}

TEST(Modes, TheRangeOfTheKeyHasEachOfThem) {
  for (const std::string& name : ModeNames()) {
    EXPECT_THAT(FindKey("train.mode")->range, HasSubstr(name));
    EXPECT_EQ(ModeOf(WithMode(name)).name, name);
  }
}

TEST(Modes, EachDrivesByExactlyOneRule) {
  for (const std::string& name : ModeNames()) {
    const Mode& mode = ModeOf(WithMode(name));
    EXPECT_EQ(mode.has_server + mode.is_local + mode.has_gradient_rounds + mode.has_hessians + mode.has_neighbours, 1)
        << name;
    EXPECT_EQ(HasServer(name), mode.has_server) << name;
    EXPECT_EQ(mode.driver == DriverKind::kServer, mode.has_server) << name;
    EXPECT_NE(mode.driver, DriverKind::kNone) << name;
  }
}

TEST(Modes, ASectionThatOneModeReadsHasKeys) {
  for (const std::string& name : ModeNames()) {
    const Mode& mode = ModeOf(WithMode(name));
    if (mode.section.empty()) continue;
    EXPECT_EQ(&ReaderOf(mode.section), &mode);
    EXPECT_TRUE(std::ranges::any_of(Keys(), [&](const Key& key) { return key.name.starts_with(mode.section); }))
        << name;
  }
}

TEST(Modes, WhereNothingIsLocalEveryStepIsAnAgreementOnThePlainMean) {
  for (const std::string& name : ModeNames()) {
    Config config = WithMode(name);
    config.local.sync_every = 7;
    EXPECT_EQ(LocalOf(config).is_synchronous(), !ModeOf(config).is_local) << name;
  }
}

TEST(Modes, AnUnknownOneHasNoServerAndIsRefusedByName) {
  EXPECT_FALSE(HasServer("rumour"));
  try {
    ModeOf(WithMode("rumour"));
    FAIL() << "expected a ConfigError";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("train.mode: found rumour"));
  }
}

}  // namespace
}  // namespace gradwire::train
