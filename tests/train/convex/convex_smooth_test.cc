// SPDX-License-Identifier: Apache-2.0
// Methods by smoothness matrices as rows of a configuration. References are rounds of runs in numpy, apart from this
// code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/config_file.h"
#include "tests/train/run_folder.h"
#include "train/convex/convex_run.h"

namespace gradwire::train {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;
using testing::HasSubstr;

constexpr const char* kUneven = R"(
run: {nproc: 5, launch: threads, threads: 1}
objective: {name: logistic, data: lr_uneven}
optimizer: {lr: theory}
comm: {method: diana_plus}
log: {every_steps: 20}
)";

std::vector<Json> RunFor(const char* yaml, int steps, Words words, std::string* said = nullptr) {
  const TempFolder folder("smooth");
  words.push_back("run.output_dir=" + folder.path());
  words.push_back("train.steps=" + std::to_string(steps));
  testing::internal::CaptureStdout();
  EXPECT_EQ(RunConvexThreads(Load(yaml, words)), 0);
  const std::string out = testing::internal::GetCapturedStdout();
  if (said) *said = out;
  return Records(folder.path());
}

/// Rounds to 1e-10, to the next 20; -1 where a run of so many does not get there.
int RoundsOf(const std::string& method, const std::string& compressor, int steps) {
  for (const Json& record : RunFor(kUneven, steps, {"comm.method=" + method, "comm.compressor=" + compressor}))
    if (record["dist"].get<double>() <= 1e-10) return record["step"].get<int>();
  return -1;
}

/// Safaryan et al. 2021: one element in the mean. References 42544 and 7076.
TEST(Smooth, ImportantCoinsAreThreeTimesAsFastAsPlainOnes) {
  const int plain = RoundsOf("diana", "coins:1", 60000),
            important = RoundsOf("diana_plus", "smooth(coins:1:diana)", 12000);
  ASSERT_GT(plain, 0);
  ASSERT_GT(important, 0);
  EXPECT_GE(plain, 3 * important);
  EXPECT_NEAR(plain, 42544, 0.15 * 42544);
  EXPECT_NEAR(important, 7076, 0.15 * 7076);
}

/// Wang et al. 2022: sqrt(d)/n levels. References 24000, 9450 and 5626.
TEST(Smooth, StepsByMatricesAreTwiceAsFastAsQsgdAndVaryingOnesMore) {
  const int qsgd = RoundsOf("diana", "steps:0.6324555320336759", 36000),
            uniform = RoundsOf("diana_plus", "smooth(steps:uniform)", 15000),
            varying = RoundsOf("diana_plus", "smooth(steps:diana)", 9000);
  ASSERT_GT(qsgd, 0);
  ASSERT_GT(uniform, 0);
  ASSERT_GT(varying, 0);
  EXPECT_GE(qsgd, 2 * uniform);
  EXPECT_LT(varying, uniform);
  EXPECT_NEAR(qsgd, 24000, 0.15 * 24000);
  EXPECT_NEAR(uniform, 9450, 0.15 * 9450);
  EXPECT_NEAR(varying, 5626, 0.15 * 5626);
}

/// two_tilts: every matrix is I, so that the coins and all else are the same.
TEST(Smooth, WithMatricesOfIAMethodIsItsPlainForm) {
  constexpr const char* kTilts = R"(
run: {nproc: 2, launch: threads}
objective: {name: quadratic, data: two_tilts}
optimizer: {lr: 0.1}
log: {every_steps: 10}
)";
  for (const auto& [method, plus] : {std::pair("dcgd", "dcgd_plus"), {"diana", "diana_plus"}}) {
    const auto of = [&](const std::string& name, const char* compressor) {
      return RunFor(kTilts, 200, {"comm.method=" + name, std::string("comm.compressor=") + compressor});
    };
    const std::vector<Json> a = of(method, "coins:1"), b = of(plus, "smooth(coins:1:uniform)");
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(a[i]["dist"], b[i]["dist"]) << method << " " << i;
      EXPECT_EQ(a[i]["bits_payload"], b[i]["bits_payload"]) << method;
    }
    EXPECT_GT(a.back()["bits_payload"].get<double>(), 0);
  }
}

TEST(Smooth, ARunSaysWhatBothEndsKnow) {
  std::string said;
  RunFor(kUneven, 20, {}, &said);
  EXPECT_THAT(said, HasSubstr("d^2 = 100 numbers"));
}

std::string Refusal(const char* yaml, const Words& words) {
  try {
    RunConvexThreads(Load(yaml, words));
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Smooth, IsRefusedByNameWhereThereAreNoMatrices) {
  EXPECT_THAT(Refusal("comm: {method: dcgd_plus}", {}), HasSubstr("needs each worker's smoothness matrix"));
  EXPECT_THAT(Refusal("comm: {method: dcgd, compressor: \"smooth(coins:1%)\"}", {}),
              HasSubstr("comm.compressor: smooth(coins:1%) is made of each worker's smoothness matrix"));
  EXPECT_THAT(Refusal(kUneven, {"comm.compressor=randk:1"}), HasSubstr("expected auto, smooth(...), or method diana"));
  EXPECT_THAT(Refusal(kUneven, {"comm.topology=sharded", "comm.down_compressor=smooth(coins:1)"}),
              HasSubstr("comm.down_compressor: smooth(coins:1) is of each worker's own function"));
  EXPECT_THAT(Refusal(kUneven, {"train.steps=1", "objective.nonconvex=true"}), HasSubstr("mu of this problem"));
}

}  // namespace
}  // namespace gradwire::train
