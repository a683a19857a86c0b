// SPDX-License-Identifier: Apache-2.0
#include "train/config/settings.h"

#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/config/config_keys.h"

namespace gradwire::train {
namespace {

using ::testing::HasSubstr;

bool Has(const std::string& text, std::string_view key) {
  return text.starts_with(std::string(key) + ": ") || text.find(fmt::format("\n{}: ", key)) != std::string::npos;
}

TEST(Settings, RanksShareAllButWhatIsEachOnesOwn) {
  const std::string text = RankSettingsText({});
  const std::set<std::string_view> own = {"run.output_dir", "run.nproc",     "run.launch",      "run.threads",
                                          "data.root",      "model.init",    "train.slow_rank", "train.slow_factor",
                                          "comm.threads",   "comm.timeout_s"};
  for (const Key& key : Keys()) EXPECT_EQ(Has(text, key.name), !own.contains(key.name)) << key.name;
}

TEST(Settings, ADifferenceOfRanksNamesTheKeyBothValuesAndBothRanks) {
  Config one, other;
  other.optimizer.lr = 0.3;
  EXPECT_EQ(RankDifference(0, RankSettingsText(one), 1, RankSettingsText(other)),
            "\n  optimizer.lr: rank 0 has 0.1, rank 1 has 0.3");
  EXPECT_EQ(ValueIn(RankSettingsText(other), "optimizer.lr"), "0.3");
}

TEST(Settings, RanksMayResumeFromFoldersOfTheirOwnButAllOrNone) {
  Config one, other;
  one.checkpoint.resume = "/a/step00000010", other.checkpoint.resume = "/b/step00000010";
  EXPECT_EQ(RankSettingsText(one), RankSettingsText(other));
  other.checkpoint.resume = "never";
  EXPECT_THAT(RankDifference(0, RankSettingsText(one), 1, RankSettingsText(other)), HasSubstr("checkpoint.resume"));
}

}  // namespace
}  // namespace gradwire::train
