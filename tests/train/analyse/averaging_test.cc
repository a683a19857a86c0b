// SPDX-License-Identifier: Apache-2.0
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "tests/train/run_folder.h"
#include "train/analyse/analyse_command.h"
#include "train/analyse/analyse_sde.h"
#include "train/analyse/averaging_report.h"
#include "train/command_line.h"

namespace gradwire::train {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

/// What `gradwire analyse averaging WORDS` prints, or the error's text; and its exit code.
std::string Output(std::vector<const char*> words, int expected_code = 0) {
  words.insert(words.begin(), {"gradwire", "analyse", "averaging"});
  const CommandLine line = Parse(static_cast<int>(words.size()), words.data());
  EXPECT_FALSE(line.exit_code) << "not understood";
  std::ostringstream out;
  try {
    EXPECT_EQ(RunAnalyse(line.analyse, out), expected_code);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return out.str();
}

TEST(AnalyseAveraging, CellsStandBesideTheAuthors) {
  const std::string text = Output(
      {"--peers", "512,900", "--failures", "0", "--methods", "allreduce,grid,moshpit", "--restarts", "100", "--check"});
  EXPECT_THAT(text, ContainsRegex("512 +0 +allreduce +1.00 +1.0 +1.00 +1.0 +yes +1022 +1.996"));
  EXPECT_THAT(text, ContainsRegex("512 +0 +grid +8.[0-9+. -]+ +8.2 +[34]"));
  EXPECT_THAT(text, ContainsRegex("512 +0 +moshpit +2.00 +- +2.00 +- +- +46 +1.906 +2 / "));
  EXPECT_THAT(text, ContainsRegex("900 +0 +grid +5.[0-9+. -]+ +5.0 +[23]"));
}

TEST(AnalyseAveraging, ACellThatIsFarFromTheAuthorsIsNamedAndFailsTheCheck) {
  EXPECT_TRUE(IsNear({10, 0}, 11, 100)) << "10 %";
  EXPECT_FALSE(IsNear({10, 0}, 11.2, 100));
  EXPECT_TRUE(IsNear({10, 1.4}, 11.2, 10)) << "1.2 is less than 3 x 1.4 sqrt(2/10)";
  EXPECT_FALSE(IsNear({10, 0.5}, 11.2, 10)) << "and more than 3 x 0.5 sqrt(2/10) = 0.67";
  const std::vector<const char*> words = {"--peers", "768", "--failures", "0", "--methods", "push_sum"};
  std::vector<const char*> checked = words;
  checked.push_back("--check");
  EXPECT_THAT(Output(words), HasSubstr("NO"));
  EXPECT_THAT(Output(checked, kCheckMissed), HasSubstr("NO")) << "the page says why";
}

TEST(AnalyseAveraging, OtherGridsHaveNobodyToBeComparedWith) {
  std::vector<const char*> words = {"--peers", "512", "--failures", "0",    "--side",     "8",
                                    "--dims",  "3",   "--methods",  "grid", "--restarts", "2"};
  EXPECT_THAT(Output(words), ContainsRegex("512 +0 +grid +3.00 +- +3.00 +- +- +14 +1.750"));
  words.push_back("--check");
  EXPECT_THAT(Output(words, 2), HasSubstr("check: none of these cells is in the authors' table"));
}

TEST(AnalyseAveraging, JsonIsWrittenAndErrorsNameTheOption) {
  const TempFolder folder("averaging");
  const std::string json = folder.path() + "/averaging.json";
  Output({"--peers", "16", "--failures", "0", "--side", "4", "--methods", "moshpit", "--restarts", "2", "--json",
          json.c_str()});
  EXPECT_THAT(ReadText(json), AllOf(HasSubstr("\"rounds_fine\": 2.0"), HasSubstr("\"variance\": [")));
  EXPECT_THAT(Output({"--methods", "mosh"}),
              HasSubstr("analyse averaging, methods: found 'mosh', expected some of all"));
  EXPECT_THAT(Output({"--peers", "2000", "--methods", "grid"}), HasSubstr("peers: found 2000, expected at most 1024"));
  EXPECT_THAT(Output({"--failures", "2"}), HasSubstr("failures: found 2, expected a number from 0 to 1"));
}

}  // namespace
}  // namespace gradwire::train
