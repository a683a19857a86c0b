// SPDX-License-Identifier: Apache-2.0
#include "train/analyse/analyse_command.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "gradwire/error.h"
#include "tests/train/page_commands.h"
#include "tests/train/run_folder.h"
#include "train/command_line.h"

namespace gradwire::train {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

/// Runs `gradwire analyse WORDS`, expects exit code 0, and returns what it printed; or the error's text.
std::string Output(const Words& words) {
  std::vector<const char*> argv = {"gradwire", "analyse"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  const CommandLine line = Parse(static_cast<int>(argv.size()), argv.data());
  EXPECT_FALSE(line.exit_code) << "not understood";
  std::ostringstream out;
  if (line.exit_code) return "";
  try {
    EXPECT_EQ(RunAnalyse(line.analyse, out), 0);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return out.str();
}

TEST(AnalyseSde, AMethodStandsBesideItsSdeAndItsClosedForms) {
  const std::string text = Output({"sde", "dcsgd", "--dimension", "4", "--workers", "3", "--compressor", "randk:2",
                                   "--eta", "0.1", "--time", "2", "--paths", "256"});
  EXPECT_THAT(text, AllOf(HasSubstr("dcsgd: SGD with the mean of N workers' compressed gradients"),
                          HasSubstr("d = 4, h = 1;"), HasSubstr("3 workers, randk:2"), HasSubstr("dt = 0.1\n"),
                          HasSubstr("at t = 2"), HasSubstr("second moment"), HasSubstr(" +- ")));
  EXPECT_THAT(text, HasSubstr("0.1353"));  // the mean, exp(-2)
}

TEST(AnalyseSde, WhereThereIsNoClosedFormItIsSaid) {
  EXPECT_THAT(Output({"sde", "adam", "--time", "1", "--paths", "128"}), HasSubstr("no formula"));
}

TEST(AnalyseSde, OptionsReachTheModel) {
  const std::string text = Output({"sde", "dsignsgd", "--curvature", "1,2", "--noise", "student:1", "--start", "0.25",
                                   "--dt", "0.005", "--sigma", "2", "--time", "0.02", "--paths", "128"});
  EXPECT_THAT(text,
              HasSubstr("d = 2, h = 1, 2; every x_j begins at 0.25; eta 0.01, noise student:1 of scale 2, batch 1"));
  EXPECT_THAT(text, HasSubstr("128 paths to t = 0.02; the SDE by Euler and Maruyama, dt = 0.005"));
}

TEST(AnalyseSde, PictureAndJsonAreWritten) {
  const TempFolder folder("analyse");
  const std::string svg = folder.path() + "/a.svg", json = folder.path() + "/a.json";
  Output({"sde", "sgd", "--time", "1", "--paths", "128", "--plot", svg, "--json", json});
  EXPECT_THAT(ReadText(svg), AllOf(HasSubstr("<circle"), HasSubstr("stroke-dasharray"), HasSubstr("closed form"),
                                   HasSubstr("sgd (points), and its SDE (line)")));
  const auto runs = nlohmann::json::parse(ReadText(json)).at("runs");
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].at("settings").at("eta"), 0.01);
  EXPECT_EQ(runs[0].at("method").at("t").size(), runs[0].at("sde").at("loss").at("value").size());
}

TEST(AnalyseSde, WhatCannotBeIsRefusedByTheOption) {
  EXPECT_THAT(Output({"sde", "adma"}), HasSubstr("analyse sde, method: found 'adma', did you mean 'adam'?"));
  EXPECT_THAT(Output({"sde", "sgd", "--problem", "lr2"}), HasSubstr("analyse sde, problem: no formula for lr2"));
  EXPECT_THAT(Output({"sde", "dcsgd", "--compressor", "topk:1"}), HasSubstr("compressor: no formula for topk:1"));
  EXPECT_THAT(Output({"sde", "sgd", "--dt", "0.3"}), HasSubstr("dt: found 0.3, expected eta / m"));
  EXPECT_THAT(Output({"sde", "adam", "--eta", "0.1"}), HasSubstr("dt: 0.1 is too large"));
  EXPECT_THAT(Output({"sde", "sgd", "--noise", "cauchy"}), HasSubstr("noise: found 'cauchy'"));
  EXPECT_THAT(Output({"sde", "sgd", "--paths", "5"}), HasSubstr("paths: found 5"));
  EXPECT_THAT(Output({"sde", "sgd", "--curvature", "1,2", "--dimension", "3"}), HasSubstr("dimension: found 3"));
}

TEST(Analyse, OptionsOfAMethodAreOfNoTableAndThoseOfTheTableOfNoMethod) {
  const auto refusal = [](std::vector<const char*> words) {
    words.insert(words.begin(), {"gradwire", "analyse"});
    testing::internal::CaptureStderr();
    EXPECT_EQ(Parse(static_cast<int>(words.size()), words.data()).exit_code, 2);
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(refusal({"sde", "--eta", "0.1"}), HasSubstr("METHOD"));
  EXPECT_THAT(refusal({"scale", "--decay", "0.1"}), HasSubstr("METHOD"));
  EXPECT_THAT(refusal({"sde", "sgd", "--check"}), HasSubstr("--check"));
  for (const char* option : {"--plot", "--json", "--paths", "--seed", "--threads"})
    EXPECT_THAT(refusal({"scale", "dcsgd", "batch=2", option, "1"}), HasSubstr(option));
}

/// By hand: omega is 1 before and 4 after.
TEST(AnalyseScale, BothReferencesOfDcsgdAreNamed) {
  const std::string text =
      Output({"scale", "dcsgd", "--eta", "0.05", "--workers", "4", "--compressor", "randk:5", "compressor=randk:2"});
  EXPECT_THAT(text, AllOf(HasSubstr("dcsgd, now:   eta 0.05, batch 1, 4 workers, randk:5 (omega 1)"),
                          HasSubstr("then:  eta 0.05, batch 1, 4 workers, randk:2 (omega 4)")));
  EXPECT_THAT(text, AllOf(HasSubstr("to keep the stationary level of now, compressed as it is:"),
                          HasSubstr("eta 0.05 -> 0.02 (x 0.4)"), HasSubstr("workers 4 -> 10 (x 2.5)"),
                          HasSubstr("batch 1 -> 2.5 (x 2.5), rounded up 3")));
  EXPECT_THAT(text, AllOf(HasSubstr("to keep the stationary level that now would have without compression:"),
                          HasSubstr("eta 0.05 -> 0.01 (x 0.2)"), HasSubstr("workers 4 -> 20 (x 5)")));
}

TEST(AnalyseScale, ARuleAndItsRivalSayWhatBecomesOfBetasAndDecay) {
  const std::string text =
      Output({"scale", "adamw", "--eta", "0.001", "--beta1", "0.9", "--beta2", "0.99", "--decay", "0.1", "batch=4"});
  EXPECT_THAT(text,
              HasSubstr("eta 0.001 -> 0.002 (x 2), beta1 0.9 -> 0.8 (1 - beta1 x 2), beta2 0.99 -> 0.98 (1 - beta2 "
                        "x 2), decay 0.1 -> 0.2 (x 2)"));
  EXPECT_THAT(text,
              HasSubstr("eta 0.001 -> 0.002 (x 2), beta1 0.9 -> 0.6 (1 - beta1 x 4), beta2 0.99 -> 0.96 (1 - beta2 "
                        "x 4)\n"));
}

TEST(AnalyseScale, WhereNothingIsLeftToDoItIsSaid) {
  EXPECT_THAT(Output({"scale", "dsignsgd", "--workers", "4", "workers=8", "eta=0.02"}), HasSubstr("nothing: it stays"));
  EXPECT_THAT(Output({"scale", "dsignsgd", "workers=8"}),
              AllOf(HasSubstr("eta 0.01 -> 0.08"), Not(HasSubstr("nothing"))));
}

TEST(AnalyseScale, WhatCannotBeIsRefused) {
  EXPECT_THAT(Output({"scale", "dcsgd"}), HasSubstr("analyse scale, CHANGE: found none"));
  EXPECT_THAT(Output({"scale", "dcsgd", "lr=3"}), HasSubstr("CHANGE: found 'lr=3', expected eta=, batch=, workers="));
  EXPECT_THAT(Output({"scale", "dcsgd", "batch=0"}), HasSubstr("batch: found '0', expected 1 or more"));
  EXPECT_THAT(Output({"scale", "dcsgd", "compressor=topk:1"}), HasSubstr("compressor: no formula for topk:1"));
  EXPECT_THAT(Output({"scale", "dsignsgd", "compressor=randk:1"}), HasSubstr("compressor: dsignsgd has none"));
  EXPECT_THAT(Output({"scale", "adamw", "workers=2"}), HasSubstr("workers: the rules of adamw are of one worker"));
  EXPECT_THAT(Output({"scale", "adamw", "--beta1", "1", "batch=2"}), HasSubstr("beta1: found 1"));
  EXPECT_THAT(Output({"scale", "diana", "batch=2"}), HasSubstr("method: found 'diana'"));
}

/// The words behind `analyse` of a page's command, without files and the number of paths.
Words Tried(const Words& command) {
  Words words;
  for (size_t i = 2; i < command.size(); ++i)
    if (command[i] == "--plot" || command[i] == "--json" || command[i] == "--paths")
      ++i;
    else
      words.push_back(command[i]);
  return words;
}

/// Those of one method are run, with few paths; the tables take longer, and are read only.
TEST(Analyse, CommandsOfPagesAreAccepted) {
  int count = 0;
  for (const Words& command : CommandsOfPages({"README.md", "train/analyse/README.md"})) {
    if (command.size() < 3 || command[1] != "analyse") continue;
    Words words = Tried(command);
    if (words.size() > 1 && !words[1].starts_with("--")) {
      if (words[0] == "sde") words.insert(words.end(), {"--paths", "128"});
      EXPECT_THAT(Output(words), Not(HasSubstr("expected"))) << testing::PrintToString(words);
    } else {
      std::vector<const char*> argv = {"gradwire", "analyse"};
      for (const std::string& word : words) argv.push_back(word.c_str());
      EXPECT_FALSE(Parse(static_cast<int>(argv.size()), argv.data()).exit_code) << testing::PrintToString(words);
    }
    ++count;
  }
  EXPECT_GE(count, 4);
}

}  // namespace
}  // namespace gradwire::train
