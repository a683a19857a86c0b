// SPDX-License-Identifier: Apache-2.0
#include "train/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/config_file.h"
#include "tests/train/run_folder.h"
#include "tests/train/run_words.h"

namespace gradwire::train {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kQ3 = R"(
run: {nproc: 3, launch: threads}
objective: {name: quadratic, data: q3}
optimizer: {lr: 0.02}
train: {steps: 20}
comm: {method: ef, compressor: "topk:1"}
)";

TEST(Sweep, IsTheProductWithTheLastKeyFastest) {
  const ConfigFile file(kQ3);
  const SweepPlan plan =
      PlanSweep(file.path(), {"comm.method=ef,dcgd", "run.seed=7", "optimizer.lr=0.1,0.2", "run.output_dir=/x"});
  std::vector<std::string> folders;
  for (const SweepRun& run : plan.runs) folders.push_back(run.folder);
  EXPECT_THAT(folders, ElementsAre("/x/method=ef,lr=0.1", "/x/method=ef,lr=0.2", "/x/method=dcgd,lr=0.1",
                                   "/x/method=dcgd,lr=0.2"));
  EXPECT_THAT(plan.runs[2].arguments, ElementsAre("gradwire", "train", file.path(), "comm.method=dcgd", "run.seed=7",
                                                  "optimizer.lr=0.1", "run.output_dir=/x/method=dcgd,lr=0.1"));
}

TEST(Sweep, CommasInBracketsDoNotSeparate) {
  const ConfigFile file("lr_scheduler: {name: multistep, milestones: [1]}");
  const SweepPlan plan = PlanSweep(file.path(), {"lr_scheduler.milestones=[1,2],[2,4]"});
  ASSERT_EQ(plan.runs.size(), 2u);
  EXPECT_EQ(plan.runs[1].arguments[3], "lr_scheduler.milestones=[2,4]");
  const ConfigFile q3(kQ3);
  const SweepPlan nested = PlanSweep(q3.path(), {"comm.method=dcgd", "comm.compressor=induced(topk:1,randk:1),topk:1"});
  ASSERT_EQ(nested.runs.size(), 2u);
  EXPECT_EQ(nested.runs[0].arguments[4], "comm.compressor=induced(topk:1,randk:1)");
}

TEST(Sweep, KeysOfOneWordVaryTogether) {
  const ConfigFile file(kQ3);
  const SweepPlan plan = PlanSweep(file.path(), {"comm.method,comm.compressor=ef,topk:1;dcgd,induced(topk:1,randk:1)",
                                                 "run.seed=1,2", "run.output_dir=/x"});
  ASSERT_EQ(plan.runs.size(), 4u);
  EXPECT_EQ(plan.runs[1].folder, "/x/method=ef,compressor=topk:1,seed=2");
  EXPECT_THAT(
      plan.runs[2].arguments,
      ElementsAre("gradwire", "train", file.path(), "comm.method=dcgd", "comm.compressor=induced(topk:1,randk:1)",
                  "run.seed=1", "run.output_dir=/x/method=dcgd,compressor=induced(topk:1,randk:1),seed=1"));
}

TEST(Sweep, AutoStandsInNoNameOfKeysThatVaryTogether) {
  const ConfigFile file(kQ3);
  const SweepPlan plan = PlanSweep(file.path(), {"comm.method,comm.eta=ef,auto;econtrol,0.5", "run.output_dir=/x"});
  EXPECT_EQ(plan.runs[0].folder, "/x/method=ef");
  EXPECT_EQ(plan.runs[1].folder, "/x/method=econtrol,eta=0.5");
}

TEST(Sweep, AMistakeInTheLastRunShowsBeforeTheFirstBegins) {
  const ConfigFile file(kQ3);
  EXPECT_THROW(PlanSweep(file.path(), {"comm.method=ef,dcgd,eff"}), ConfigError);
  EXPECT_THROW(PlanSweep(file.path(), {"optimizer.lr=0.1,0.1"}), ConfigError);
  EXPECT_THROW(PlanSweep(file.path(), {"run.output_dir=a,b"}), ConfigError);
  EXPECT_THROW(PlanSweep(file.path(), {"optimizer.lr"}), ConfigError);
  EXPECT_THROW(PlanSweep(file.path(), {"comm.method,comm.compressor=ef;dcgd,sign"}), ConfigError);
  EXPECT_THROW(PlanSweep(file.path(), {"comm.method,comm.compresor=ef,sign"}), ConfigError);
}

TEST(Program, SweepRunsAllAndComparesThem) {
  const TempFolder folder("sweep");
  const ConfigFile file(kQ3);
  std::string out, err;
  ASSERT_EQ(RunWords({"sweep", file.path(), "comm.method=ef,dcgd", "run.output_dir=" + folder.path(), "--x", "steps",
                      "--csv", folder.path() + "/t.csv", "log.every_steps=5"},
                     &out, &err),
            0)
      << err;
  EXPECT_THAT(out, HasSubstr("run          final f_gap  at 20 steps"));
  for (const char* run : {"method=ef", "method=dcgd"}) {
    EXPECT_EQ(Records(folder.path() + "/" + run).size(), 6u) << run;  // steps 0, 5, .. 20 and the final one
    EXPECT_THAT(ReadText(folder.path() + "/" + run + "/log.txt"), HasSubstr("20 rounds, ")) << run;
  }
  EXPECT_THAT(ReadText(folder.path() + "/t.csv"), HasSubstr("method=dcgd,dcgd,topk:1,20,"));
}

TEST(Program, TrainsConvexObjectivesWithoutTorchAndRefusesNetworks) {
  const TempFolder folder("train");
  const ConfigFile q3(kQ3), network("", "network");
  std::string out, err;
  EXPECT_EQ(RunWords({"train", q3.path(), "run.output_dir=" + folder.path()}, &out, &err), 0) << err;
  EXPECT_THAT(out, HasSubstr("20 rounds, ef + topk:1"));
  EXPECT_EQ(RunWords({"compare", folder.path()}, &out, &err), 0) << err;
  EXPECT_EQ(RunWords({"train", network.path()}, &out, &err), 2);
  EXPECT_THAT(err, HasSubstr("default value: run.launch: found processes, which this build cannot start"));
  EXPECT_EQ(RunWords({"compare", folder.path() + "/x"}, &out, &err), 2);
  EXPECT_THAT(err, HasSubstr("error: "));
}

TEST(Program, AFolderThatCannotBeWrittenEndsAllRanksWithItsError) {
  const ConfigFile q3(kQ3);
  std::string out, err;
  EXPECT_EQ(RunWords({"train", q3.path(), "run.output_dir=/proc/none"}, &out, &err), 1);
  EXPECT_THAT(err, HasSubstr("cannot write /proc/none/metrics.jsonl"));
}

}  // namespace
}  // namespace gradwire::train
