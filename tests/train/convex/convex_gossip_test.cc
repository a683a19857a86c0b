// SPDX-License-Identifier: Apache-2.0
// Runs of neighbours from settings: what they say, and that threads as ranks give what one process gives.
#include <chrono>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collective/thread_collective.h"
#include "gradwire/error.h"
#include "tests/train/config_file.h"
#include "tests/train/run_folder.h"
#include "train/convex/convex_driver.h"
#include "train/convex/convex_run.h"

namespace gradwire::train {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

constexpr const char* kQh = R"(
run: {nproc: 10, launch: threads}
objective: {name: quadratic, data: qh}
optimizer: {lr: 0.01}
train: {mode: gossip, steps: 40}
gossip: {gamma: 0.2, lambda: 0.5}
comm: {compressor: "topk:20%"}
log: {every_steps: 20}
)";

TEST(ConvexGossip, RecordsHaveTheAverageAndTheSpreadAndSayWhatTheyAreAbout) {
  const TempFolder folder("gossip");
  testing::internal::CaptureStdout();
  EXPECT_EQ(RunConvexThreads(Load(kQh, {"run.output_dir=" + folder.path()})), 0);
  const std::string said = testing::internal::GetCapturedStdout();
  EXPECT_THAT(said, HasSubstr("graph ring: 10 edges, spectral gap 0.127322"));
  EXPECT_THAT(said, HasSubstr("records are about the average of all models"));
  const auto records = Records(folder.path());
  EXPECT_EQ(records[0]["spread"], 0) << "all begin at one point";
  EXPECT_GT(records.back()["spread"], 0.01);
  EXPECT_EQ(records.back()["evaluate"], "average");
  EXPECT_EQ(records.back()["method"], "motef");
}

/// After some rounds: the point, the spread and the bits of rank 0.
std::pair<std::vector<double>, ConvexState> After(const Config& config, Collective* collective) {
  const ConvexSetup setup = PrepareConvex(config, static_cast<size_t>(config.run.nproc));
  const ConvexParts parts = PartsOf(config, setup);
  const ConvexContext context{config, setup, parts, StepSizeOf(config, setup, parts), collective};
  const auto driver = MakeConvexDriver(context);
  driver->Begin(0);
  for (uint64_t step = 0; step < 20; ++step) driver->Step({step, context.lr});
  ConvexState state;
  driver->Describe(state);
  return {{driver->agreed().begin(), driver->agreed().end()}, state};
}

TEST(ConvexGossip, ThreadsAsRanksAreTheRunInOneProcess) {
  for (const char* evaluate : {"average", "first"}) {
    const Config config = Load(kQh, {std::string("gossip.evaluate=") + evaluate});
    const auto one = After(config, nullptr);
    const auto collectives = MakeThreadCollectives(10, std::chrono::seconds(60));
    std::vector<std::pair<std::vector<double>, ConvexState>> many(collectives.size());
    std::vector<std::thread> threads;
    for (size_t rank = 0; rank < many.size(); ++rank)
      threads.emplace_back([&, rank] { many[rank] = After(config, collectives[rank].get()); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(many[0].first, one.first);
    EXPECT_EQ(many[0].second.spread, one.second.spread);
    EXPECT_EQ(many[0].second.bits_up, one.second.bits_up);
    EXPECT_EQ(many[0].second.bits_down, one.second.bits_down);
    EXPECT_EQ(many[0].second.bits_paper, one.second.bits_paper);
  }
}

constexpr const char* kWhole = R"(
run: {nproc: 10, launch: threads}
objective: {name: quadratic, data: qh}
optimizer: {lr: 0.01}
train: {mode: gossip, steps: 40}
gossip: {method: push_sum}
log: {every_steps: 20}
)";

TEST(ConvexGossip, OfPushSumSaysItsCycleAndHasModelsOfTheProblemsSize) {
  const TempFolder folder("push_sum");
  testing::internal::CaptureStdout();
  EXPECT_EQ(RunConvexThreads(Load(kWhole, {"gossip.graph=one_peer_exponential", "run.output_dir=" + folder.path()})),
            0);
  EXPECT_THAT(testing::internal::GetCapturedStdout(),
              testing::AllOf(HasSubstr("d = 20; graph one_peer_exponential: 10 messages a round"),
                             HasSubstr(" of 4 rounds together")));
  EXPECT_GT(Records(folder.path()).back()["spread"], 0.01);
}

TEST(ConvexGossip, OfPairsHasTheSimulatedTimeAndTheStaleness) {
  const TempFolder folder("pairs");
  testing::internal::CaptureStdout();
  EXPECT_EQ(RunConvexThreads(Load(
                kWhole, {"gossip.method=ad_psgd", "async.speeds=[1, 1, 1, 1, 4]", "run.output_dir=" + folder.path()})),
            0);
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("graph ring: 10 edges\n"));
  const auto last = Records(folder.path()).back();
  EXPECT_EQ(last["method"], "ad_psgd");
  EXPECT_EQ(last["compressor"], "identity");
  EXPECT_EQ(last["clock"], 5) << "8 gradients at 1, 2 and 3, 10 at 4, and 6 more";
  EXPECT_GT(last["tau_max"], 20) << "the slow ones' gradients";
  EXPECT_GT(last["spread"], 0.01);
}

std::string WhyNot(const Words& words) {
  try {
    RunConvexThreads(Load(kWhole, words));
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "taken";
}

TEST(ConvexGossip, AGraphThatIsNoneIsRefusedWithThePlaceOfItsKey) {
  EXPECT_THAT(WhyNot({"gossip.graph=regular:11"}),
              HasSubstr("command line, 'gossip.graph=regular:11': gossip.graph: regular:11"));
  EXPECT_THAT(WhyNot({"gossip.method=dgd", "gossip.graph=directed_ring"}),
              HasSubstr("'gossip.graph=directed_ring': gossip.graph: directed_ring is directed"));
  EXPECT_THAT(WhyNot({"gossip.method=dgd", "gossip.weights=uniform"}),
              HasSubstr("'gossip.weights=uniform': gossip.weights: found uniform"));
  EXPECT_THAT(WhyNot({"gossip.weights=metropolis", "gossip.graph=directed_ring"}),
              HasSubstr("'gossip.weights=metropolis': gossip.weights: found metropolis"));
}

}  // namespace
}  // namespace gradwire::train
