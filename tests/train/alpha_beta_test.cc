// SPDX-License-Identifier: Apache-2.0
// analysis.alpha_beta: a run that is made twice, and seen the second time from where it ended the first.
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/config_file.h"
#include "tests/train/run_folder.h"
#include "tests/train/run_words.h"

namespace gradwire::train {
namespace {

using testing::HasSubstr;

constexpr const char* kExample = R"(
run: {nproc: 2, launch: threads}
objective: {name: geman_mcclure, data: alpha_beta}
optimizer: {lr: 0.05}
train: {steps: 2000}
comm: {method: none}
analysis: {alpha_beta: true}
)";

/// The exit code, and both streams.
std::pair<int, std::string> Train(const std::string& file, std::vector<std::string> words) {
  words.insert(words.begin(), {"train", file});
  std::string out, err;
  const int code = RunWords(words, &out, &err);
  return {code, out + err};
}

std::map<double, double> Betas(const std::string& folder) {
  std::ifstream file(folder + "/alpha_beta.csv");
  std::map<double, double> betas;
  std::string line;
  for (std::getline(file, line); std::getline(file, line);) {
    double alpha = 0, beta = 0;
    char comma = 0;
    std::istringstream(line) >> alpha >> comma >> beta;
    betas[alpha] = beta;
  }
  return betas;
}

std::string Text(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// The run of the example comes from (0, 0), where s = 0, and stays between the two minimisers: below the boundary of
/// all s, beta = 4 alpha / 5.
TEST(AlphaBetaRun, OfTheExampleIsBelowItsBoundary) {
  const ConfigFile file(kExample);
  const TempFolder folder("alpha_beta");
  const auto [code, said] = Train(file.path(), {"run.output_dir=" + folder.path()});
  ASSERT_EQ(code, 0) << said;
  EXPECT_THAT(said, HasSubstr("alpha-beta condition, 4000 views from the last point"));
  const std::map<double, double> betas = Betas(folder.path());
  ASSERT_TRUE(betas.contains(2.5));
  EXPECT_GT(betas.at(2.5), 0);
  EXPECT_LE(betas.at(2.5), 2.0);
  EXPECT_THAT(Text(folder.path() + "/alpha_beta.svg"), HasSubstr("least beta of the run"));
  EXPECT_EQ(Text(folder.path() + "/point.txt"), Text(folder.path() + "/first/point.txt")) << "the same run twice";
}

TEST(AlphaBetaRun, FromAPointThatIsGivenIsMadeOnce) {
  const ConfigFile file(kExample);
  const TempFolder folder("alpha_beta");
  ASSERT_EQ(Train(file.path(), {"run.output_dir=" + folder.path()}).first, 0);
  const std::string again = folder.path() + "/again";
  const auto [code, said] =
      Train(file.path(), {"run.output_dir=" + again, "analysis.reference=" + folder.path() + "/first"});
  ASSERT_EQ(code, 0) << said;
  EXPECT_EQ(Betas(again), Betas(folder.path()));
  EXPECT_FALSE(std::filesystem::exists(again + "/first"));
}

TEST(AlphaBetaRun, WhatHasNoViewsIsRefused) {
  const ConfigFile file(kExample);
  const TempFolder folder("alpha_beta");
  const auto refusal = [&](std::vector<std::string> words) {
    words.push_back("run.output_dir=" + folder.path());
    const auto [code, said] = Train(file.path(), words);
    EXPECT_EQ(code, 2) << said;
    return said;
  };
  EXPECT_THAT(refusal({"objective.name=quadratic", "objective.data=two_tilts"}),
              HasSubstr("analysis.alpha_beta: found true with objective.name quadratic"));
  EXPECT_THAT(refusal({"train.mode=async"}), HasSubstr("analysis.alpha_beta: found true with train.mode async"));
  EXPECT_THAT(refusal({"checkpoint.every_epochs=1"}), HasSubstr("expected a run without saves"));
  EXPECT_THAT(refusal({"analysis.reference=/nowhere"}),
              HasSubstr("/nowhere/point.txt cannot be read; expected the 2 numbers"));
  EXPECT_THAT(refusal({"objective.name=least_squares", "objective.data=lr", "run.nproc=5", "optimizer.lr=100"}),
              HasSubstr("first/point.txt is not finite: that run diverged"));
}

}  // namespace
}  // namespace gradwire::train
