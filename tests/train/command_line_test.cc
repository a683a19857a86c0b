// SPDX-License-Identifier: Apache-2.0
#include "train/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gradwire::train {
namespace {

using testing::HasSubstr;

CommandLine ParseWords(std::vector<const char*> words) {
  words.insert(words.begin(), "gradwire");
  return Parse(static_cast<int>(words.size()), words.data());
}

/// Parses, expects to be told to exit with `code`, and returns what was printed.
std::string ExpectExit(int code, const std::vector<const char*>& words) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const CommandLine line = ParseWords(words);
  EXPECT_EQ(line.exit_code, code);
  return testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
}

TEST(CommandLine, TrainTakesAFileAndSettingsInAnyOrder) {
  const CommandLine line =
      ParseWords({"train", "--print-config", "x.yaml", "optimizer.lr=-1", "--nproc", "4", "a.b=c=d"});
  EXPECT_FALSE(line.exit_code);
  EXPECT_EQ(line.command, Command::kTrain);
  EXPECT_EQ(line.config_file, "x.yaml");
  EXPECT_TRUE(line.print_config);
  ASSERT_EQ(line.overrides.size(), 3u);
  EXPECT_EQ(line.overrides[0].key, "optimizer.lr");
  EXPECT_EQ(line.overrides[0].value, "-1");
  EXPECT_EQ(line.overrides[1].key, "a.b");
  EXPECT_EQ(line.overrides[1].value, "c=d");
  EXPECT_EQ(line.overrides[2].word, "--nproc 4");
  EXPECT_EQ(line.overrides[2].key, "run.nproc");
  EXPECT_EQ(line.overrides[2].value, "4");
}

TEST(CommandLine, OtherCommands) {
  EXPECT_EQ(ParseWords({"list"}).command, Command::kList);
  EXPECT_EQ(ParseWords({"list", "links"}).words, std::vector<std::string>{"links"});
  EXPECT_EQ(ParseWords({"keys"}).command, Command::kKeys);
}

TEST(CommandLine, SweepTakesAFileAndWordsAndCompareTakesRuns) {
  const CommandLine sweep = ParseWords({"sweep", "x.yaml", "comm.method=ef,dcgd", "--x", "steps"});
  EXPECT_EQ(sweep.command, Command::kSweep);
  EXPECT_EQ(sweep.config_file, "x.yaml");
  EXPECT_EQ(sweep.words, std::vector<std::string>{"comm.method=ef,dcgd"});
  EXPECT_EQ(sweep.compare.x, "steps");
  const CommandLine compare = ParseWords({"compare", "a", "b", "--y", "dist", "--plot", "p.svg", "--csv", "t.csv"});
  EXPECT_EQ(compare.command, Command::kCompare);
  EXPECT_EQ(compare.words, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(compare.compare.x, "bits");
  EXPECT_EQ(compare.compare.y, "dist");
  EXPECT_EQ(compare.compare.plot, "p.svg");
  EXPECT_EQ(compare.compare.csv, "t.csv");
}

TEST(CommandLine, HelpAndVersionExitWithZero) {
  EXPECT_THAT(ExpectExit(0, {"--help"}), HasSubstr("train"));
  EXPECT_THAT(ExpectExit(0, {"--version"}), HasSubstr("gradwire " GRADWIRE_VERSION));
  EXPECT_THAT(ExpectExit(0, {"train", "--help"}), HasSubstr(KeysHelp()));
}

TEST(CommandLine, UsageErrorsExitWithTwo) {
  EXPECT_THAT(ExpectExit(2, {}), HasSubstr("Usage: gradwire"));
  EXPECT_THAT(ExpectExit(2, {"trian", "x.yaml"}), HasSubstr("trian"));
  EXPECT_THAT(ExpectExit(2, {"train"}), HasSubstr("CONFIG"));
  EXPECT_THAT(ExpectExit(2, {"train", "x.yaml", "--nprocs", "3"}), HasSubstr("--nprocs"));
  EXPECT_THAT(ExpectExit(2, {"list", "links", "more"}), HasSubstr("more"));
}

TEST(CommandLine, AWordThatIsNoSettingIsAConfigError) {
  EXPECT_THROW(ParseWords({"train", "x.yaml", "y.yaml"}), ConfigError);
}

}  // namespace
}  // namespace gradwire::train
