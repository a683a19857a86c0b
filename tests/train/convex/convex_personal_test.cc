// SPDX-License-Identifier: Apache-2.0
// Personalised runs from settings: in every mode, with any number of threads, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "tests/train/config_file.h"
#include "tests/train/run_folder.h"
#include "train/convex/convex_run.h"

namespace gradwire::train {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using Words = std::vector<std::string>;

constexpr const char* kPersonalRun = R"(
run: {nproc: 6, launch: threads}
objective: {name: personal, data: overpersonalised, inner: "gd:5"}
optimizer: {lr: 0.04}
train: {steps: 900}
comm: {method: none, compressor: identity}
log: {every_steps: 300}
)";

/// Keeps what is said from the terminal.
struct Said {
  explicit Said(std::string* to) : to(to) { testing::internal::CaptureStdout(); }
  ~Said() {
    const std::string text = testing::internal::GetCapturedStdout();
    if (to != nullptr) *to = text;
  }
  std::string* to;
};

std::vector<Json> RecordsOf(Words words, std::string* said = nullptr) {
  const TempFolder folder("personal");
  words.push_back("run.output_dir=" + folder.path());
  {
    const Said quiet(said);
    RunConvexThreads(Load(kPersonalRun, words));
  }
  std::vector<Json> records = Records(folder.path());
  for (Json& record : records) record.erase("wall_s");
  return records;
}

double LastDistance(const Words& words) { return RecordsOf(words).back()["dist"].get<double>(); }

TEST(ConvexPersonal, ARunReachesTheSolutionAndSaysWhatItsWorkersKeep) {
  std::string said;
  const std::vector<Json> records = RecordsOf({}, &said);
  EXPECT_LE(records.back()["dist"].get<double>(), 1e-10);
  EXPECT_EQ(records.back()["passes"], 900 * 6);
  EXPECT_EQ(records.back()["data"], "personal overpersonalised");
  EXPECT_THAT(said, HasSubstr("each worker has 3 unknowns of its own, which no message has; inner solver gd:5, warm"));
}

/// 4 doubles to each of 5 peers, whoever solves whatever inside.
TEST(ConvexPersonal, MessagesAreOfTheSharedUnknownsAlone) {
  for (const char* inner : {"exact", "cg:2", "gd:5"}) {
    const Json last = RecordsOf({std::string("objective.inner=") + inner, "train.steps=10"}).back();
    EXPECT_EQ(last["bits_payload"], 10 * 5 * 4 * 64) << inner;
  }
}

TEST(ConvexPersonal, AnyNumberOfThreadsGivesTheSameBits) {
  for (const char* mode : {"sync", "local"}) {
    Words words = {"train.steps=40", "log.every_steps=10", std::string("train.mode=") + mode, "run.threads=1"};
    const std::vector<Json> one = RecordsOf(words);
    words.back() = "run.threads=4";
    EXPECT_EQ(RecordsOf(words), one) << mode;
  }
}

/// Fast workers get more jobs and pull x to where they are best: of overpersonalised ones that is where all are.
TEST(ConvexPersonal, AsynchronousStepsHaveNoBiasWhereOverpersonalised) {
  const Words async = {"train.mode=async",  "async.assign=pure", "async.speeds=[1, 3, 7]",
                       "optimizer.lr=0.02", "train.steps=20000", "log.every_steps=20000"};
  EXPECT_LE(LastDistance(async), 1e-10);
  Words other = async;
  other.emplace_back("objective.data=personalised");
  EXPECT_GT(LastDistance(other), 0.01);
}

TEST(ConvexPersonal, NeighboursAloneReachTheSolution) {
  EXPECT_LE(
      LastDistance({"train.mode=gossip", "gossip.method=gradient_tracking", "comm.method=auto", "comm.compressor=auto",
                    "objective.data=personalised", "optimizer.lr=0.02", "train.steps=4000", "log.every_steps=4000"}),
      1e-9);
}

TEST(ConvexPersonal, TheorysStepIsOfTheBestOwnUnknowns) {
  EXPECT_LE(LastDistance({"objective.inner=exact", "optimizer.lr=theory", "train.steps=112"}), 1e-10);
}

TEST(ConvexPersonal, NewtonsMethodIsOfWhatIsLeft) {
  EXPECT_LE(LastDistance({"objective.inner=exact", "train.mode=newton", "optimizer.lr=0.1", "newton.method=newton",
                          "objective.data=personalised", "train.steps=3"}),
            1e-12);
}

TEST(ConvexPersonal, WhatNothingReadsOrCannotBeIsRefusedByName) {
  const std::vector<std::pair<Words, const char*>> refused = {
      {{"objective.inner=gd"}, "objective.inner: found 'gd', expected exact, cg:K or gd:K with K from 1 to 1000000"},
      {{"objective.inner_start=hot"}, "objective.inner_start"},
      {{"objective.inner_step=0.3"}, "objective.inner_step: found 0.3, expected less than 2 / Lw"},
      {{"objective.inner=cg:2", "objective.inner_step=0.1"}, "objective.inner_step: found 0.1, expected the default 0"},
      {{"objective.inner=exact", "objective.inner_start=cold"},
       "objective.inner_start: found cold, expected the default"},
      {{"objective.name=quadratic", "objective.data=qh", "run.nproc=10"},
       "objective.inner: found gd:5, expected the default exact because objective.name is quadratic"},
      {{"objective.data=qh"}, "objective.data: found qh, expected overpersonalised or personalised"},
      {{"objective.estimator=sega"}, "objective.estimator: found sega, expected auto or full"},
      {{"comm.method=vr_diana", "comm.compressor=randk:1"}, "comm.method: found vr_diana, whose estimator is lsvrg"},
      {{"optimizer.lr=theory"}, "optimizer.lr: found theory, which is of the best own unknowns"},
      {{"train.mode=newton", "optimizer.lr=0.1"}, "objective.inner: found gd:5, expected the default exact"},
      {{"objective.lambda=0.1"}, "objective.lambda"},
      {{"objective.batch=2"}, "objective.batch"},
  };
  for (const auto& [words, why] : refused) {
    std::string error = "no error";
    try {
      RecordsOf(words);
    } catch (const ConfigError& refusal) {
      error = refusal.what();
    }
    EXPECT_THAT(error, HasSubstr(why));
  }
}

}  // namespace
}  // namespace gradwire::train
