// SPDX-License-Identifier: Apache-2.0
// Convex objectives as runs of the program.
#include "train/convex/convex_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/config_file.h"
#include "tests/train/run_folder.h"
#include "wire/wire.h"

namespace gradwire::train {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

constexpr const char* kQh = R"(
run: {nproc: 10, launch: threads}
objective: {name: quadratic, data: qh}
optimizer: {lr: 0.1}
train: {steps: 10}
comm: {method: none, compressor: identity}
log: {every_steps: 4}
)";

constexpr const char* kLr = R"(
run: {nproc: 5, launch: threads}
objective: {name: logistic, data: lr}
optimizer: {lr: 3}
train: {steps: 300}
comm: {method: none, compressor: identity}
log: {every_steps: 300}
)";

/// Runs it and returns its records.
std::vector<Json> RunAndRead(const char* yaml, std::vector<std::string> words = {}, std::string* terminal = nullptr) {
  const TempFolder folder("convex");
  words.push_back("run.output_dir=" + folder.path());
  testing::internal::CaptureStdout();
  RunConvexThreads(Load(yaml, words));
  const std::string said = testing::internal::GetCapturedStdout();
  if (terminal) *terminal = said;
  return Records(folder.path());
}

std::string Refusal(const char* yaml, const std::vector<std::string>& words) {
  try {
    RunConvexThreads(Load(yaml, words));
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

/// QH, tau = 10, step size 0.01: in closed form, see local_test.cc.
TEST(ConvexRun, LocalRoundsEndAtTheirBiasedFixedPoint) {
  const std::vector<Json> records = RunAndRead(kQh, {"train.mode=local", "local.sync_every=10", "optimizer.lr=0.01",
                                                     "train.steps=6000", "log.every_steps=6000"});
  EXPECT_NEAR(records.back()["dist"].get<double>(), 0.41575629012954, 1e-10);
}

/// MEM-SGD (Stich et al. 2018, arXiv 1809.07599): steps 8 / (mu (a + k)) let the noise fade that constant ones leave.
TEST(ConvexRun, FallingStepsGoBelowTheNoiseOfConstantOnes) {
  const std::vector<std::string> words = {"objective.estimator=sgd", "optimizer.lr=0.08", "comm.method=ec",
                                          "comm.compressor=topk:1",  "train.steps=6000",  "log.every_steps=6000"};
  std::vector<std::string> falling = words;
  falling.insert(falling.end(), {"lr_scheduler.name=inverse", "lr_scheduler.shift=1000"});
  const std::vector<Json> constant = RunAndRead(kLr, words), inverse = RunAndRead(kLr, falling);
  EXPECT_LT(inverse.back()["f_gap"].get<double>(), 0.4 * constant.back()["f_gap"].get<double>());
  EXPECT_NEAR(inverse.back()["lr"].get<double>(), 0.08 * 1000 / 6999, 1e-15);
}

TEST(ConvexRun, AStepSizeOfZeroLeavesThePointInEveryMode) {
  const std::vector<std::vector<std::string>> runs = {
      {"comm.method=ec", "comm.compressor=topk:2"},
      {"comm.method=ec_diana", "comm.compressor=topk:2", "comm.learner=randk:2"},
      {"comm.method=dore", "comm.compressor=randk:2", "objective.prox=l1", "objective.prox_lambda=0.1"},
      {"comm.method=ec", "comm.compressor=topk:2", "train.delay=2"},
      {"train.mode=local", "local.sync_every=2", "local.shift=skip"},
      {"train.mode=local", "local.sync_every=2", "comm.method=ec", "comm.compressor=topk:2"},
      {"train.mode=async", "comm.method=ec", "comm.compressor=topk:2"}};
  for (std::vector<std::string> words : runs) {
    words.insert(words.end(), {"optimizer.lr=0", "log.every_steps=5"});
    const std::vector<Json> records = RunAndRead(kQh, words);
    ASSERT_EQ(records.back()["step"], 10) << words[0];
    for (const Json& record : records) {
      EXPECT_EQ(record["dist"], records[0]["dist"]) << words[0];
      EXPECT_TRUE(record["grad_norm"].is_number()) << words[0];
    }
  }
}

/// The rate is 0 at the last step before an agreement: shifts that were divided by it would be infinite.
TEST(ConvexRun, AScheduleThatEndsAtZeroKeepsShiftsFinite) {
  const std::vector<Json> records =
      RunAndRead(kQh, {"train.mode=local", "local.sync_every=5", "local.shift=skip", "optimizer.lr=0.01",
                       "lr_scheduler.name=multistep", "lr_scheduler.milestones=[0.3]", "lr_scheduler.gamma=1.0e-320"});
  EXPECT_LT(records.back()["dist"].get<double>(), records[0]["dist"].get<double>());
}

TEST(ConvexRun, AsynchronousWaitingForAllIsGradientDescent) {  // by a run in numpy: 1e-10 after 2350 jobs, and no later
  const std::vector<Json> records =
      RunAndRead(kQh, {"train.mode=async", "async.wait_for=10", "async.speeds=[1, 4, 7, 10]", "optimizer.lr=0.002",
                       "train.steps=2360", "log.every_steps=1180"});
  EXPECT_LE(records.back()["dist"].get<double>(), 1e-10);
  EXPECT_GT(records[1]["dist"].get<double>(), 1e-10);
  EXPECT_EQ(records.back()["tau_max"], 9);
  EXPECT_EQ(records.back()["clock"].get<double>(), 2360);  // the slowest takes 10 a round of 10
  uint64_t applied = 0;
  for (const auto& [staleness, count] : records.back()["staleness"].items()) applied += count.get<uint64_t>();
  EXPECT_EQ(applied, 2360u);
}

TEST(ConvexRun, RecordsFollowTheReference) {  // QH, gradient descent with step size 0.1
  std::string terminal;
  const std::vector<Json> records = RunAndRead(kQh, {}, &terminal);
  ASSERT_EQ(records.size(), 5u);  // steps 0, 4, 8, 10 and the final one
  for (const Json& record : records)
    for (const char* field : {"step", "wall_s", "f", "f_gap", "dist", "grad_norm", "bits_up", "bits_down",
                              "bits_payload", "bits_paper", "passes", "method", "compressor"})
      EXPECT_TRUE(record.contains(field)) << field;
  EXPECT_EQ(records[0]["step"], 0);
  EXPECT_NEAR(records[0]["grad_norm"], 6.285968343205568, 1e-12);
  EXPECT_NEAR(records[0]["f_gap"], 3.7813668936928373, 1e-12);
  EXPECT_EQ(records[2]["step"], 8);
  EXPECT_EQ(records[3]["step"], 10);
  EXPECT_NEAR(records[3]["dist"], 1.4322620843962705e-3, 1e-13);
  EXPECT_EQ(records[3]["passes"], 10);
  EXPECT_EQ(records[4]["final"], true);
  EXPECT_EQ(records[4]["diverged"], false);
  EXPECT_EQ(records[4]["dist"], records[3]["dist"]);
  EXPECT_THAT(terminal, HasSubstr("10 workers, d = 20, L = 6.44737"));
  EXPECT_THAT(terminal, HasSubstr("1.432e-03"));
}

TEST(ConvexRun, TheoryStepIsRecordedAndDescends) {  // 1 / L
  std::string terminal;
  const std::vector<Json> records = RunAndRead(kQh, {"optimizer.lr=theory", "log.every_steps=1"}, &terminal);
  EXPECT_THAT(terminal, HasSubstr("with step size 0.155102 by theory"));
  for (size_t k = 0; k < 10; ++k) {
    EXPECT_NEAR(records[k]["lr"], 0.1551020408163265, 1e-15);
    EXPECT_LT(records[k + 1]["f_gap"], records[k]["f_gap"]);
  }
  EXPECT_EQ(RunAndRead(kQh)[0]["lr"], 0.1);
}

TEST(ConvexRun, BitsAreThoseThatWereSent) {
  const std::vector<Json> records = RunAndRead(kQh, {"comm.method=ef", "comm.compressor=topk:2"});
  const Json& last = records.back();
  // Ten rounds of a frame and a payload to each of nine peers.
  const uint64_t up = last["bits_up"], payload = last["bits_payload"];
  EXPECT_EQ(up - payload, 8 * sizeof(Frame) * 9 * 10);
  EXPECT_EQ(payload % (8 * kPayloadAlignment * 9 * 10), 0u);
  EXPECT_GE(payload, 8 * 2 * 8u * 9 * 10);  // two doubles at least: the 1-D point is compressed whatever comm says
  EXPECT_LT(payload, 8 * 20 * 8u * 9 * 10);
  EXPECT_EQ(last["bits_down"], up);  // all ranks send alike
  EXPECT_EQ(records[0]["bits_up"], 0);
}

/// QH, d = 20: a position takes 5 bits. Messages count once, whoever gets them, and dense rounds as dense.
TEST(ConvexRun, BitsOfPapersAreThoseOfAWorkersMessages) {
  const auto bits = [](std::vector<std::string> words) {
    return RunAndRead(kQh, std::move(words)).back()["bits_paper"];
  };
  EXPECT_EQ(bits({}), 10 * 20 * 32);
  EXPECT_EQ(bits({"log.bits_paper=paper64"}), 10 * 20 * 64);
  EXPECT_EQ(bits({"comm.method=ef", "comm.compressor=topk:2"}), 10 * 2 * (32 + 5));
  EXPECT_EQ(bits({"comm.method=ef", "comm.compressor=topk:2", "comm.topology=sharded"}), 10 * 2 * (32 + 5));
  EXPECT_EQ(bits({"comm.method=ef", "comm.compressor=topk:2", "log.bits_paper=ef_sigma_k"}), 10 * 2 * 64);
  EXPECT_EQ(bits({"comm.method=diana", "comm.compressor=randk:2"}), 10 * 2 * 32);
  EXPECT_EQ(bits({"comm.method=ef21", "comm.compressor=topk:2"}), 20 * 32 + 9 * 2 * (32 + 5));  // opens dense
  EXPECT_EQ(bits({"comm.method=ec_diana", "comm.compressor=topk:2", "comm.learner=randk:1"}), 10 * (2 * 37 + 32));
  EXPECT_EQ(bits({"comm.method=dore", "comm.compressor=terngrad", "optimizer.lr=0.01"}), 10 * (32 + 2 * 20));
  EXPECT_EQ(bits({"comm.method=lag", "comm.compressor=identity", "comm.zeta=1e9"}), 20 * 32 + 9);  // a bit says no
  EXPECT_EQ(bits({"train.mode=async", "async.speeds=[1]", "train.steps=100"}), 10 * 20 * 32);      // of ten workers
}

TEST(ConvexRun, TheSameSeedGivesTheSameRun) {
  const std::vector<std::string> words = {"objective.estimator=sgd", "optimizer.lr=0.2", "train.steps=50"};
  auto first = RunAndRead(kLr, words), second = RunAndRead(kLr, words);
  for (auto* records : {&first, &second})
    for (Json& record : *records) record.erase("wall_s");
  EXPECT_EQ(first, second);
  std::vector<std::string> other = words;
  other.push_back("run.seed=2");
  EXPECT_NE(RunAndRead(kLr, other).back()["f"], first.back()["f"]);
}

TEST(ConvexRun, EveryWorkerDrawsItsOwnSamples) {  // passes: one of 20 samples a round
  const Json last = RunAndRead(kLr, {"objective.estimator=sgd", "train.steps=60"}).back();
  EXPECT_EQ(last["passes"], 3);
}

TEST(ConvexRun, GradientDescentReachesTheMinimum) {
  EXPECT_LT(RunAndRead(kLr).back()["dist"], 1e-10);
  EXPECT_LT(RunAndRead(kLr, {"objective.data=lr2", "optimizer.lr=0.67", "train.steps=4000"}).back()["dist"], 1e-10);
  EXPECT_LT(RunAndRead(kLr, {"run.nproc=3"}).back()["dist"], 1e-10);  // the samples dealt to other workers
}

TEST(ConvexRun, LambdaAndTheRegulariserAreTheProblems) {
  EXPECT_NE(RunAndRead(kLr, {"objective.lambda=0.2"}).back()["f"], RunAndRead(kLr).back()["f"]);
  const Json last = RunAndRead(kLr, {"objective.nonconvex=true", "objective.lambda=0.1", "optimizer.lr=2"}).back();
  EXPECT_TRUE(last["f_gap"].is_null());
  EXPECT_TRUE(last["dist"].is_null());
  EXPECT_LT(last["grad_norm"], 1e-10);
}

TEST(ConvexRun, AProxIsPartOfTheProblem) {
  for (const char* kind : {"l1", "l2"}) {
    const Json last =
        RunAndRead(kQh, {std::string("objective.prox=") + kind, "objective.prox_lambda=0.5", "train.steps=100"}).back();
    EXPECT_LT(last["dist"], 1e-10) << kind;
    EXPECT_LT(std::abs(last["f_gap"].get<double>()), 1e-12) << kind;
    EXPECT_LT(last["grad_norm"], 1e-9) << kind;  // that of the proximal step: grad f itself is not 0 there
  }
}

TEST(ConvexRun, ADivergedRunEndsAndSaysSo) {
  std::string terminal;
  const std::vector<Json> records = RunAndRead(kQh, {"optimizer.lr=10", "train.steps=100000"}, &terminal);
  EXPECT_EQ(records.back()["diverged"], true);
  EXPECT_LT(records.back()["step"], 2000);
  EXPECT_THAT(terminal, HasSubstr("DIVERGED"));
}

TEST(ConvexRun, MistakesAreRefusedByKeyAndPlace) {
  EXPECT_THAT(
      Refusal(kQh, {"run.nproc=9"}),
      HasSubstr("command line, 'run.nproc=9': run.nproc: found 9 ranks, expected 10, one for each worker of qh"));
  EXPECT_THAT(Refusal(kQh, {"optimizer.lr=theory", "comm.method=doublesqueeze", "comm.compressor=topk:2"}),
              HasSubstr("'optimizer.lr=theory': optimizer.lr: theory: no theory for doublesqueeze"));
  EXPECT_THAT(Refusal(kLr, {"run.nproc=101"}), HasSubstr("objective.data: 100 samples for 101 workers"));
  EXPECT_THAT(Refusal(kLr, {"objective.data=no/such.libsvm"}),
              HasSubstr("'objective.data=no/such.libsvm': objective.data: no/such.libsvm: cannot be read"));
  EXPECT_THAT(
      Refusal(kLr, {"objective.sampling=nice", "objective.estimator=sgd", "objective.batch=21"}),
      HasSubstr("command line, 'objective.batch=21': objective.batch: found 21, expected at most the 20 samples"));
  EXPECT_THAT(Refusal(kLr, {"objective.nonconvex=true", "objective.estimator=star"}),
              HasSubstr("'objective.estimator=star': objective.estimator: star needs x*"));
}

TEST(ConvexRun, LibsvmFilesAreRead) {
  const TempFolder folder("libsvm");
  const std::string file = folder.path() + "/tiny";
  std::ofstream(file) << "+1 1:1 2:0.5\n-1 1:-1\n+1 2:2\n-1 1:0.3 2:-1\n";
  const std::string data = "objective.data=" + file;
  const Json last = RunAndRead(kLr, {data, "run.nproc=2", "objective.lambda=0.1"}).back();
  EXPECT_LT(last["dist"], 1e-10);
  std::ofstream(file) << "+1 1:1\n-1 0:1\n";
  EXPECT_THAT(Refusal(kLr, {data, "run.nproc=2"}), HasSubstr("tiny:2: found the index 0"));
  EXPECT_LT(RunAndRead(kLr, {data, "run.nproc=2", "objective.lambda=0.1", "objective.zero_based=true"}).back()["dist"],
            1e-10);
}

}  // namespace
}  // namespace gradwire::train
