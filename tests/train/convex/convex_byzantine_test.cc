// SPDX-License-Identifier: Apache-2.0
// Runs with wrong workers and other aggregates than the mean, from settings: what they say, what they refuse, and that
// threads as ranks give what one process gives.
#include <chrono>
#include <thread>

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
objective: {name: quadratic, data: qh, byzantine: 1, attack: noise}
optimizer: {lr: 0.02}
train: {steps: 40}
comm: {method: none, aggregate: "trimmed:10%"}
log: {every_steps: 20}
)";

TEST(ConvexByzantine, RunsSayWhoIsWrongAndWhatHolds) {
  const TempFolder folder("byzantine");
  testing::internal::CaptureStdout();
  EXPECT_EQ(RunConvexThreads(Load(kQh, {"run.output_dir=" + folder.path()})), 0);
  const std::string said = testing::internal::GetCapturedStdout();
  EXPECT_THAT(said, HasSubstr("the last 1 of 10 workers send noise:1000 in place of their gradients"));
  EXPECT_THAT(
      said,
      HasSubstr(
          "aggregate trimmed:10%, with up to 1 of 10 workers wrong, of finite numbers: each element stays within"));
  EXPECT_LT(Records(folder.path()).back()["dist"], 3.5);
}

/// After some rounds.
std::vector<double> After(const Config& config, Collective* collective) {
  const ConvexSetup setup = PrepareConvex(config, static_cast<size_t>(config.run.nproc));
  const ConvexParts parts = PartsOf(config, setup);
  const ConvexContext context{config, setup, parts, StepSizeOf(config, setup, parts), collective};
  const auto driver = MakeConvexDriver(context);
  driver->Begin(0);
  for (uint64_t step = 0; step < 20; ++step) driver->Step({step, context.lr});
  return {driver->agreed().begin(), driver->agreed().end()};
}

TEST(ConvexByzantine, ThreadsAsRanksAreTheRunInOneProcess) {
  std::vector<std::vector<double>> seen;
  for (const Words& words : {Words{}, Words{"comm.aggregate=centred_clip:10"}, Words{"comm.aggregate=buckets:2"},
                             Words{"objective.attack=little", "comm.method=ef", "comm.compressor=topk:4"}}) {
    const Config config = Load(kQh, words);
    const std::vector<double> one = After(config, nullptr);
    const auto collectives = MakeThreadCollectives(10, std::chrono::seconds(60));
    std::vector<std::vector<double>> many(collectives.size());
    std::vector<std::thread> threads;
    for (size_t rank = 0; rank < many.size(); ++rank)
      threads.emplace_back([&, rank] { many[rank] = After(config, collectives[rank].get()); });
    for (std::thread& thread : threads) thread.join();
    for (const std::vector<double>& x : many) EXPECT_EQ(x, one);
    for (const std::vector<double>& other : seen) EXPECT_NE(one, other);
    seen.push_back(one);
  }
}

TEST(ConvexByzantine, WhatMeansNothingIsRefusedByItsKey) {
  for (const auto& [words, why] : std::vector<std::pair<Words, std::string>>{
           {{"objective.attack=none"}, "objective.attack: found none, expected what the 1 workers"},
           {{"objective.attack=flip"}, "objective.attack: found 'flip', expected none, sign_flip, noise"},
           {{"objective.byzantine=0"}, "objective.attack: found noise:1000, expected the default none because"},
           {{"objective.byzantine=10"}, "objective.byzantine: found 10 of 10 workers, expected fewer"},
           {{"train.mode=local"}, "objective.byzantine: found 1, expected the default 0 because train.mode is local"},
           {{"comm.aggregate=trimmed:5"}, "comm.aggregate: trimmed:5 of 10 workers leaves nothing"},
           {{"comm.aggregate=krum"}, "comm.aggregate: found 'krum', expected one of mean, median"},
           {{"comm.method=diana"}, "comm.aggregate: trimmed:10%: receivers of method diana keep the mean"},
           {{"optimizer.lr=theory"}, "optimizer.lr: found theory, which is of means, expected a number because"}}) {
    try {
      RunConvexThreads(Load(kQh, words));
      ADD_FAILURE() << why << " is taken";
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), HasSubstr(why));
    }
  }
  EXPECT_THROW(Load(kQh, {"objective.byzantine=0", "objective.attack=none", "train.mode=local", "local.random=0.5",
                          "local.shift=skip"}),
               ConfigError);
}

}  // namespace
}  // namespace gradwire::train
