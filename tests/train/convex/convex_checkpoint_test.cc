// SPDX-License-Identifier: Apache-2.0
// A convex run that is saved and gone on with is the run that was not, bit for bit: every method, and every mode.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gossip/gossip_method.h"
#include "gradwire/error.h"
#include "gradwire/method.h"
#include "newton/newton_method.h"
#include "tests/train/config_file.h"
#include "tests/train/run_folder.h"
#include "train/convex/convex_run.h"

namespace gradwire::train {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;
using testing::HasSubstr;

constexpr const char* kLr = R"(
run: {nproc: 5, launch: threads}
objective: {name: logistic, data: lr}
optimizer: {lr: 0.01}
log: {every_steps: 7}
)";

/// Keeps what is said from the terminal.
struct Quiet {
  Quiet() { testing::internal::CaptureStdout(); }
  ~Quiet() { testing::internal::GetCapturedStdout(); }
};

void RunTo(const std::string& folder, Words words, int64_t steps) {
  words.push_back("run.output_dir=" + folder);
  words.push_back("train.steps=" + std::to_string(steps));
  const Quiet quiet;
  ASSERT_EQ(RunConvexThreads(Load(kLr, words)), 0);
}

/// A run's records but for what clocks say.
std::vector<Json> TimelessRecords(const std::string& folder) {
  std::vector<Json> records = Records(folder);
  for (Json& record : records) record.erase("wall_s");
  return records;
}

struct Case {
  std::string name;
  Words words;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class ConvexCheckpoint : public testing::TestWithParam<Case> {};

TEST_P(ConvexCheckpoint, ASavedRunGoesOnBitForBit) {
  const TempFolder straight("straight"), saved("saved");
  RunTo(straight.path(), GetParam().words, 120);
  Words words = GetParam().words;
  words.insert(words.end(), {"checkpoint.every_epochs=1000", "checkpoint.resume=auto"});
  RunTo(saved.path(), words, 11);
  RunTo(saved.path(), words, 20);
  RunTo(saved.path(), words, 120);
  const std::vector<Json> records = TimelessRecords(saved.path()), expected = TimelessRecords(straight.path());
  ASSERT_GT(expected.size(), 17u);
  ASSERT_NE(expected.back()["f"], expected[1]["f"]) << "nothing moves";
  std::vector<Json> at_stops;  // records that the straight run has no cause to write
  for (const Json& record : records)
    if (std::ranges::find(expected, record) == expected.end()) at_stops.push_back(record);
  EXPECT_EQ(at_stops.size(), 2u) << Json(at_stops).dump(1);
  for (const Json& record : expected) EXPECT_THAT(records, testing::Contains(record));
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const Method& method : Methods()) {
    if (FindLink(method.link).iterates) continue;  // of matrices, which these problems have none of
    const std::string name(method.name);
    cases.push_back({name, {"comm.method=" + name}});
    if (method.estimator != "full") cases.back().words.push_back("objective.batch=2");
  }
  for (const char* estimator : {"sgd", "star", "svrg", "lsvrg", "saga", "sega"})
    cases.push_back({estimator, {std::string("objective.estimator=") + estimator, "comm.method=diana"}});
  for (const char* estimator : {"saga", "sega"})
    for (const char* mode : {"sync", "local", "async"})
      cases.push_back({std::string("noisy_") + estimator + "_" + mode,
                       {std::string("objective.estimator=") + estimator, "objective.noise=absolute:0.01",
                        std::string("train.mode=") + mode, "comm.method=none"}});
  cases.push_back({"jacsketch_delayed",
                   {"objective.estimator=saga", "objective.sampling=nice", "objective.batch=5", "train.delay=3",
                    "comm.method=vr_diana", "comm.compressor=randk:2"}});
  cases.push_back({"sega_blocks", {"objective.estimator=sega", "objective.block=4", "comm.method=ef"}});
  for (const char* sampling : {"independent", "partition", "importance"})
    cases.push_back({sampling,
                     {std::string("objective.sampling=") + sampling, "objective.probabilities=[0.3, 0.8]",
                      "objective.estimator=saga", "comm.method=dcgd"}});
  cases.push_back({"falling_steps", {"lr_scheduler.name=inverse", "lr_scheduler.shift=30", "comm.method=ef"}});
  for (const char* mode : {"sync", "local", "async"})
    cases.push_back({std::string("average_") + mode,
                     {"log.average=weighted", "lr_scheduler.name=inverse", "lr_scheduler.shift=30", "comm.method=ef",
                      std::string("train.mode=") + mode}});
  cases.push_back({"reshuffle", {"objective.sampling=reshuffle", "objective.estimator=sgd", "comm.method=none"}});
  cases.push_back({"online", {"comm.method=vr_marina", "objective.refresh_batch=3", "comm.p=0.2"}});
  cases.push_back({"prox", {"comm.method=dore", "objective.prox=l1", "objective.prox_lambda=0.01"}});
  cases.push_back({"delayed", {"train.delay=4", "comm.method=ef", "comm.compressor=topk:2", "comm.ema=0.1"}});
  cases.push_back({"attack",
                   {"objective.byzantine=1", "objective.attack=noise:5", "comm.aggregate=centred_clip:0.5:2",
                    "comm.method=ef", "comm.compressor=topk:2"}});
  cases.push_back(
      {"buckets", {"train.mode=local", "local.sync_every=4", "comm.aggregate=buckets:2", "comm.method=none"}});
  cases.push_back({"local", {"train.mode=local", "local.sync_every=4", "local.outer_momentum=0.5", "comm.method=ef"}});
  cases.push_back({"local_opening", {"train.mode=local", "local.sync_every=4", "comm.method=ef21"}});
  cases.push_back({"post_local", {"train.mode=local", "local.start_iter=15", "local.random=0.3", "comm.method=none"}});
  for (const char* shift : {"skip", "learn"})
    cases.push_back({shift,
                     {"train.mode=local", std::string("local.shift=") + shift, "local.random=0.3",
                      "objective.estimator=sgd", "comm.method=none"}});
  for (const GossipMethod& method : GossipMethods()) {
    const std::string name(method.name);
    cases.push_back({"gossip_" + name, {"train.mode=gossip", "gossip.method=" + name, "objective.estimator=sgd"}});
    if (method.compresses) cases.back().words.push_back("gossip.gamma=0.2");
  }
  cases.push_back(
      {"gossip_one_peer", {"train.mode=gossip", "gossip.method=push_sum", "gossip.graph=one_peer_exponential"}});
  cases.push_back({"gossip_push_star",
                   {"train.mode=gossip", "gossip.method=push_sum", "gossip.graph=star", "gossip.weights=uniform"}});
  cases.push_back({"gossip_pairs_poisson",
                   {"train.mode=gossip", "gossip.method=ad_psgd", "async.delay=poisson", "async.speeds=[1, 3, 7]",
                    "objective.estimator=saga"}});
  cases.push_back({"grad_skip",
                   {"train.mode=local", "local.shift=skip", "local.random=0.3", "local.gradient_p=[0.5, 0.9]",
                    "comm.method=none"}});
  cases.push_back({"anchor",
                   {"train.mode=local", "local.shift=anchor", "local.anchor_p=0.2", "local.random=0.3",
                    "objective.estimator=anchored", "comm.method=none"}});
  // Each vector of a step has memory of its own.
  cases.push_back({"learn_memory",
                   {"train.mode=local", "local.shift=learn", "local.random=0.3", "objective.estimator=sgd",
                    "comm.method=ef21", "comm.compressor=topk:2"}});
  cases.push_back({"anchor_memory",
                   {"train.mode=local", "local.shift=anchor", "local.anchor_p=0.2", "local.random=0.3",
                    "objective.estimator=anchored", "comm.method=ef", "comm.compressor=topk:2"}});
  for (const char* assign : {"pure", "random", "shuffled", "shuffle_once"})
    for (const char* delay : {"fixed", "poisson", "normal", "uniform"})
      cases.push_back({std::string(assign) + "_" + delay,
                       {"train.mode=async", std::string("async.assign=") + assign, "async.speeds=[1, 3, 7]",
                        std::string("async.delay=") + delay, "objective.estimator=sgd", "comm.method=none"}});
  for (const char* inner : {"gd:2", "cg:1"})
    for (const char* mode : {"sync", "local", "async", "gossip"}) {
      const std::string solver = std::string(inner).substr(0, 2);
      cases.push_back({"personal_" + solver + "_" + mode,
                       {"run.nproc=6", "objective.name=personal", "objective.data=personalised", "optimizer.lr=0.02",
                        std::string("objective.inner=") + inner, std::string("train.mode=") + mode}});
      if (std::string_view(mode) == "gossip")
        cases.back().words.emplace_back("gossip.gamma=0.2");
      else
        cases.back().words.insert(cases.back().words.end(), {"comm.method=ef21", "comm.compressor=topk:2"});
    }
  cases.push_back({"async_links",
                   {"train.mode=async", "async.wait_for=2", "async.speeds=[1, 3, 7]", "async.max_staleness=6",
                    "comm.method=diana", "comm.compressor=randk:2", "async.down=topk:2", "objective.estimator=svrg"}});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Every, ConvexCheckpoint, testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param.name; });

std::vector<Case> NewtonCases() {
  const Words base = {"train.mode=newton", "optimizer.lr=0.1", "objective.data=lr2", "log.every_steps=1"};
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, const Words& more) {
    cases.push_back({name, base});
    cases.back().words.insert(cases.back().words.end(), more.begin(), more.end());
  };
  for (const NewtonMethod& method : NewtonMethods()) {
    const std::string name(method.name);
    Words words = {"newton.method=" + name};
    if (method.hessians == NewtonMethod::Hessians::kLearned) words.emplace_back("newton.compressor=topk:1");
    if (method.step == NewtonMethod::Step::kCubic) words.emplace_back("newton.cubic=29.5");
    if (method.step == NewtonMethod::Step::kSolve || method.is_formed()) words.emplace_back("newton.gradient_p=0.7");
    add(name, words);
  }
  add("newton_maps", {"newton.method=newton_3pc_bc", "newton.map=3pcv2", "newton.compressor=topk:1",
                      "newton.learner=randk:2", "newton.model_map=3pcv2", "newton.model=topk:1",
                      "newton.model_learner=randk:1", "newton.option=2", "comm.method=ef21", "comm.compressor=topk:3"});
  return cases;
}

class NewtonCheckpoint : public testing::TestWithParam<Case> {};

/// Newton methods arrive within few rounds, so that saves are of the first ones.
TEST_P(NewtonCheckpoint, ASavedRunGoesOnBitForBit) {
  const TempFolder straight("straight");
  RunTo(straight.path(), GetParam().words, 8);
  const std::vector<Json> expected = TimelessRecords(straight.path());
  ASSERT_EQ(expected.size(), 10u);
  Words words = GetParam().words;
  words.insert(words.end(), {"checkpoint.every_epochs=1000", "checkpoint.resume=auto"});
  for (const int64_t stop : {1, 2}) {
    ASSERT_NE(expected[static_cast<size_t>(stop)]["dist"], expected.back()["dist"]) << "nothing moves";
    const TempFolder saved("saved");
    RunTo(saved.path(), words, stop);
    RunTo(saved.path(), words, 8);
    const std::vector<Json> records = TimelessRecords(saved.path());
    for (const Json& record : expected) EXPECT_THAT(records, testing::Contains(record)) << "stopped after " << stop;
  }
}

INSTANTIATE_TEST_SUITE_P(Every, NewtonCheckpoint, testing::ValuesIn(NewtonCases()),
                         [](const auto& info) { return info.param.name; });

/// The first message of a link is as it would have been: it opens where nothing was sent before the save.
TEST(ConvexCheckpoints, ALocalRunGoesOnBitForBitFromBeforeItsFirstAgreement) {
  for (const Words& words :
       {Words{"local.sync_every=4", "comm.method=ef21", "comm.compressor=topk:2"},
        Words{"local.sync_every=4", "comm.method=ef21", "comm.compressor=topk:2", "local.shift=learn"},
        Words{"local.random=0.2", "comm.method=ef21", "comm.compressor=topk:2", "local.shift=learn"},
        Words{"local.sync_every=4", "comm.method=ef21", "comm.compressor=topk:2", "local.shift=anchor",
              "local.anchor_p=0.3", "objective.estimator=anchored"},
        Words{"local.sync_every=4", "local.start_iter=3", "comm.method=ef21", "comm.compressor=topk:2"}}) {
    Words local = words;
    local.push_back("train.mode=local");
    const TempFolder straight("straight");
    RunTo(straight.path(), local, 20);
    const std::vector<Json> expected = TimelessRecords(straight.path());
    local.insert(local.end(), {"checkpoint.every_epochs=1000", "checkpoint.resume=auto"});
    for (const int64_t stop : {1, 2, 3, 4, 5, 6}) {
      const TempFolder saved("saved");
      RunTo(saved.path(), local, stop);
      RunTo(saved.path(), local, 20);
      EXPECT_EQ(TimelessRecords(saved.path()).back(), expected.back()) << words.back() << ", stopped after " << stop;
    }
  }
}

std::string Refusal(const std::string& folder, const Words& words, int64_t steps) {
  try {
    RunTo(folder, words, steps);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ConvexCheckpoints, OtherSettingsWorkersAndLengthsAreRefused) {
  const TempFolder folder("refused");
  const Words async = {"train.mode=async", "comm.method=none", "checkpoint.resume=auto", "checkpoint.every_epochs=1"};
  RunTo(folder.path(), async, 11);
  const auto with = [&](const std::string& word) {
    Words words = async;
    words.push_back(word);
    return words;
  };
  EXPECT_THAT(Refusal(folder.path(), with("run.nproc=4"), 20), HasSubstr("run.nproc: found 4 workers, expected 5"));
  EXPECT_THAT(Refusal(folder.path(), with("optimizer.lr=0.1"), 20), HasSubstr("optimizer.lr: saved with 0.01"));
  EXPECT_THAT(Refusal(folder.path(), async, 5), HasSubstr("is of step 11, expected at most the 5 steps"));
  const TempFolder sync("sync");
  const Words rounds = {"comm.method=none", "checkpoint.resume=auto", "checkpoint.every_epochs=1"};
  RunTo(sync.path(), rounds, 11);
  Words fewer = rounds;
  fewer.push_back("run.nproc=4");
  EXPECT_THAT(Refusal(sync.path(), fewer, 20), HasSubstr("was saved by 5 ranks; expected as many"));
}

TEST(ConvexCheckpoints, AFileThatHasChangedIsRefused) {
  const TempFolder folder("changed");
  const std::string file = folder.path() + "/rows";
  const Words words = {"objective.data=" + file, "objective.lambda=0.1",     "comm.method=none", "run.nproc=2",
                       "checkpoint.resume=auto", "checkpoint.every_epochs=1"};
  std::ofstream(file) << "1 1:1 2:1\n-1 1:2\n1 2:3\n-1 1:1 2:-1\n";
  RunTo(folder.path(), words, 11);
  for (const char* rows : {"1 1:1 3:1\n-1 1:2\n1 2:3\n-1 1:1 2:-1\n", "1 1:1 2:1\n-1 1:2\n1 2:3\n-1 1:1 2:-2\n"}) {
    std::ofstream(file) << rows;
    EXPECT_THAT(Refusal(folder.path(), words, 20), HasSubstr("was saved of another problem"));
  }
}

}  // namespace
}  // namespace gradwire::train
