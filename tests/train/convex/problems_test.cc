// SPDX-License-Identifier: Apache-2.0
// Every problem that objective.name and objective.data can call, as a run of the program.
#include <cmath>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "problem/named.h"
#include "tests/train/config_file.h"
#include "tests/train/run_folder.h"
#include "train/convex/convex_run.h"
#include "train/convex/convex_setup.h"

namespace gradwire::train {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using Words = std::vector<std::string>;

constexpr const char* kLosses = R"(
run: {nproc: 4, launch: threads}
objective: {name: logistic, data: lr}
optimizer: {lr: theory}
train: {steps: 400}
comm: {method: none, compressor: identity}
log: {every_steps: 400}
)";

std::vector<Json> RunAndRead(Words words) {
  const TempFolder folder("problems");
  words.push_back("run.output_dir=" + folder.path());
  testing::internal::CaptureStdout();
  RunConvexThreads(Load(kLosses, words));
  testing::internal::GetCapturedStdout();
  return Records(folder.path());
}

std::string Refusal(const Words& words) {
  try {
    const Config config = Load(kLosses, words);
    PrepareConvex(config, static_cast<size_t>(config.run.nproc));
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ConvexProblems, EveryLossFallsByItsTheorysStep) {
  for (const Loss& loss : Losses()) {
    const std::vector<Json> records = RunAndRead({"objective.name=" + std::string(loss.name)});
    const Json& first = records.front();
    const Json& last = records.back();
    EXPECT_LT(last["f"], first["f"]) << loss.name;
    EXPECT_LT(last["grad_norm"].get<double>(), 0.1 * first["grad_norm"].get<double>()) << loss.name;
    EXPECT_EQ(last["dist"].is_null(), !loss.is_convex()) << loss.name;
    EXPECT_EQ(last["data"], std::string(loss.name) + " lr");
  }
}

TEST(ConvexProblems, TheAlphaBetaExampleEndsOnItsLine) {
  const Json last = RunAndRead({"objective.name=geman_mcclure", "objective.data=alpha_beta", "run.nproc=2"}).back();
  EXPECT_LT(last["dist"], 1e-10);
  EXPECT_LT(std::abs(last["f_gap"].get<double>()), 1e-15);
}

TEST(ConvexProblems, SoftmaxEndsAtZero) {
  const Words words = {"objective.name=softmax", "objective.lambda=1", "objective.sigma=3"};
  const std::vector<Json> records = RunAndRead(words);
  EXPECT_LT(records.back()["dist"], 1e-10);
  EXPECT_THAT(Refusal({words[0], "objective.nonconvex=true"}), HasSubstr("objective.nonconvex: found true"));
  EXPECT_THAT(Refusal({"objective.sigma=3"}), HasSubstr("objective.sigma: found 3"));
}

TEST(ConvexProblems, EvenSharesLeaveTheLastSamplesOutAndSaySo) {
  const Config config = Load(kLosses, {"run.nproc=3", "objective.even=true", "objective.intercept=true"});
  const ConvexSetup setup = PrepareConvex(config, 3);
  for (const auto& f : setup.problem->workers) EXPECT_EQ(f->samples(), 33u);
  EXPECT_EQ(setup.problem->dimension(), 11u);
  ASSERT_EQ(setup.notes.size(), 1u);
  EXPECT_EQ(setup.notes[0], "objective.even: each of 3 workers holds 33 samples, and the last 1 of 100 are left out");
  EXPECT_TRUE(PrepareConvex(Load(kLosses, {"objective.even=true"}), 4).notes.empty());
}

TEST(ConvexProblems, TwoTiltsAreThereForTwoWorkers) {
  const Words tilts = {"objective.name=quadratic", "objective.data=two_tilts"};
  EXPECT_LT(RunAndRead({tilts[0], tilts[1], "run.nproc=2", "optimizer.lr=0.5"}).back()["dist"], 1e-10);
  EXPECT_THAT(Refusal(tilts), HasSubstr("run.nproc: found 4 ranks, expected 2, one for each worker of two_tilts"));
}

TEST(ConvexProblems, ARegressionReadsItsTargetsFromAFile) {
  const TempFolder folder("regression");
  const std::string file = folder.path() + "/four";
  std::ofstream(file) << "2 1:1\n4 2:2\n2 1:1\n4 2:2\n";  // x* = (2, 2)
  const Words words = {"objective.name=least_squares", "objective.data=" + file};
  EXPECT_LT(RunAndRead({words[0], words[1], "run.nproc=2"}).back()["dist"], 1e-10);
  EXPECT_THAT(Refusal({"objective.data=" + file, "objective.name=squared_sigmoid", "run.nproc=1"}),
              HasSubstr("no error"));
  std::ofstream(file) << "2 1:1\n4 2:2\n1.5 1:1\n";
  EXPECT_THAT(Refusal({"objective.data=" + file, "objective.name=squared_sigmoid", "run.nproc=1"}),
              HasSubstr("four:3: found the label 1.5 after 2 and 4, expected two classes"));
}

TEST(ConvexProblems, DataThatDoNotFitTheNameAreRefused) {
  EXPECT_THAT(
      Refusal({"objective.data=gaussian"}),
      HasSubstr(
          "objective.data: found gaussian, expected lr, lr2, lr3, lr_uneven or a LIBSVM file because objective.name is "
          "logistic"));
  EXPECT_THAT(Refusal({"objective.name=least_squares", "objective.data=alpha_beta"}),
              HasSubstr("expected lr, lr2, lr3, lr_uneven, gaussian or a LIBSVM file"));
  EXPECT_THAT(
      Refusal({"objective.name=geman_mcclure", "objective.data=alpha_beta", "run.nproc=2", "objective.lambda=0.1"}),
      HasSubstr("objective.lambda: found 0.1, expected the default 0 because objective.data is alpha_beta"));
  EXPECT_THAT(Refusal({"objective.name=geman_mcclure", "objective.data=alpha_beta", "run.nproc=3"}),
              HasSubstr("objective.data: 2 samples for 3 workers"));
}

/// x* is known of f, not of f + R, where f is not convex.
TEST(ConvexProblems, AProxOfANonConvexOneLeavesItsSolutionUnknown) {
  const Config config = Load(kLosses, {"objective.name=geman_mcclure", "objective.data=alpha_beta", "run.nproc=2",
                                       "objective.prox=l1", "objective.prox_lambda=0.1"});
  EXPECT_FALSE(PrepareConvex(config, 2).problem->minimiser);
}

}  // namespace
}  // namespace gradwire::train
