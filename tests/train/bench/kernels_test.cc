// SPDX-License-Identifier: Apache-2.0
// `gradwire bench kernels` finds wrong kernels and missed goals; how fast anything is, no test says.
#include "train/bench/kernels.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "gradwire/compressor.h"
#include "gradwire/error.h"
#include "train/bench/kernels_report.h"
#include "train/bench/operator_check.h"

namespace gradwire::train {
namespace {

using ::testing::HasSubstr;

const kernels::Isa& Scalar() { return *kernels::Isas().back(); }

/// The scalar kernels, whose sums are wrong in one bit.
kernels::Isa WithAWrongMean() {
  kernels::Isa isa = Scalar();
  isa.f32.MeanMagnitude = [](std::span<const float> u) { return std::nextafter(Scalar().f32.MeanMagnitude(u), 1e9f); };
  return isa;
}

TEST(OperatorCheck, HasNothingAgainstTheKernelsThatThereAre) {
  for (const CompressorInfo& info : Compressors())
    for (const kernels::Isa* isa : kernels::Isas())
      if (isa->runs()) EXPECT_EQ(WhatIsWrong(std::string(info.examples[0]), *isa, 70'000), "") << info.examples[0];
}

TEST(WrongKernels, AreNamed) {
  EXPECT_THAT(WrongKernels(WithAWrongMean()), ::testing::ElementsAre("MeanMagnitude of f32"));
  for (const kernels::Isa* isa : kernels::Isas())
    if (isa->runs()) EXPECT_THAT(WrongKernels(*isa), ::testing::IsEmpty()) << isa->name;
}

TEST(OperatorCheck, SeesAWrongBitAndPutsTheKernelsBack) {
  const kernels::Isa& before = kernels::ActiveIsa();
  EXPECT_THAT(WhatIsWrong("sign:exact", WithAWrongMean(), 70'000), HasSubstr("of the payloads is 0x"));
  EXPECT_EQ(&kernels::ActiveIsa(), &before);
}

TEST(Goals, AreOfOperatorsThatThereAreAndEachHasALimit) {
  for (const Goal& goal : Goals()) {
    EXPECT_EQ(ParseCompressor(goal.spec)->spec(), goal.spec);
    EXPECT_GT(LimitOf(goal, "avx512", "AuthenticAMD"), 0) << goal.number;
    EXPECT_GE(LimitOf(goal, "avx2", "AuthenticAMD"), LimitOf(goal, "avx512", "AuthenticAMD")) << goal.number;
    EXPECT_GE(LimitOf(goal, "avx2", "GenuineIntel"), LimitOf(goal, "avx2", "AuthenticAMD")) << goal.number;
    EXPECT_FALSE(LimitOf(goal, "scalar", "AuthenticAMD")) << "the scalar kernels are the specification";
  }
}

TEST(Goals, AreMissedWhereTheWholeIntervalIsAboveTheLimit) {
  EXPECT_EQ(Judge({1.0, 0.9, 1.1}, 1.15), Verdict::kMet);
  EXPECT_EQ(Judge({1.2, 1.1, 1.3}, 1.15), Verdict::kOpen);
  EXPECT_EQ(Judge({1.3, 1.16, 1.4}, 1.15), Verdict::kMissed);
}

/// What sign + feedback costs in updates.
KernelsReport ReportOf(const Interval& ratio, const std::string& vendor = "AuthenticAMD") {
  KernelsReport report;
  report.isa = "avx512", report.cpu.vendor = vendor;
  Timed timed{.task = {Task::Kind::kFeedback}, .seconds = {}, .ratios = {}};
  timed.ratios[static_cast<size_t>(Roofline::kUpdate)] = ratio;
  report.operators.push_back({.spec = "sign", .payload_bytes = 1, .tasks = {timed}, .rooflines = {}});
  report.goals = JudgeAll(report);
  return report;
}

TEST(KernelsReport, ItsExitCodeIsThatOfAMissedGoalOnlyWhereGoalsAreAskedFor) {
  const KernelsReport met = ReportOf({1.05, 1.0, 1.1}), missed = ReportOf({1.2, 1.18, 1.22});
  ASSERT_EQ(met.goals.size(), 1u);
  EXPECT_EQ(ExitCode(met, /*goals=*/true), 0);
  EXPECT_EQ(ExitCode(missed, /*goals=*/true), kGoalMissed);
  EXPECT_EQ(ExitCode(missed, /*goals=*/false), 0);
  EXPECT_EQ(ExitCode(ReportOf({1.2, 1.18, 1.22}, "GenuineIntel"), /*goals=*/true), 0) << "Intel's limit is 1.25";
  EXPECT_THAT(GoalsText(missed), HasSubstr("1.20 (1.18-1.22)     MISSED"));
}

TEST(KernelsReport, AWrongKernelFailsWithAndWithoutGoals) {
  KernelsReport report = ReportOf({1.05, 1.0, 1.1});
  report.wrong.push_back({"sign", "byte 3"});
  EXPECT_EQ(ExitCode(report, false), kWrongResult);
  EXPECT_EQ(ExitCode(report, true), kWrongResult);
}

TEST(KernelsReport, JudgesPositionsInNanosecondsAndEntropy) {
  KernelsReport report;
  report.isa = "avx2";
  report.positions = {{"positions:1%", {2.9, 2.8, 3.1}, {5.2, 5.1, 5.3}, 8.6, 8.0}};
  report.goals = JudgeAll(report);
  ASSERT_EQ(report.goals.size(), 3u);
  EXPECT_EQ(report.goals[0].verdict, Verdict::kMet);
  EXPECT_EQ(report.goals[1].verdict, Verdict::kOpen);
  EXPECT_EQ(report.goals[2].verdict, Verdict::kMissed);
  report.isa = "scalar";
  EXPECT_TRUE(JudgeAll(report).empty());
}

TEST(TimePositions, KnowsTheEntropyOfAChoice) {
  const PositionTimes times = TimePositions(1, 70'000, 2);
  EXPECT_NEAR(times.entropy, 8.08, 0.02);  // of many: log2(100) + 99 log2(100 / 99)
  EXPECT_LE(times.bits / times.entropy, kEntropyLimit);
  EXPECT_EQ(TimePositions(0.1, 70'000, 2).name, "positions:0.1%");
}

std::string ErrorOf(const KernelsOptions& options) {
  std::ostringstream out;
  try {
    BenchKernels(options, out);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "none";
}

TEST(BenchKernels, RefusesWhatThereIsNot) {
  EXPECT_THAT(ErrorOf({.isa = "scalr"}),
              HasSubstr("--isa scalr: this build and machine have none of that name, perhaps scalar"));
  EXPECT_THAT(ErrorOf({.only = {"tpok"}}), HasSubstr("did you mean 'topk'"));
  EXPECT_THAT(ErrorOf({.json = "/no/such/folder/x.json"}),
              HasSubstr("--json /no/such/folder/x.json: cannot be written"));
}

TEST(BenchKernels, WritesWhatItMeasured) {
  const std::filesystem::path file = std::filesystem::path(::testing::TempDir()) / "kernels.json";
  std::ostringstream out;
  const kernels::Isa& before = kernels::ActiveIsa();
  EXPECT_EQ(
      BenchKernels(
          {.json = file, .goals = true, .isa = "scalar", .only = {"sign", "topk:2%"}, .numel = 5000, .rounds = 2}, out),
      0);
  kernels::Use(before);
  EXPECT_THAT(out.str(), HasSubstr("they stay in the cache: no measure of memory"));
  EXPECT_THAT(out.str(), HasSubstr("no goals"));
  const auto json = nlohmann::json::parse(std::ifstream(file));
  EXPECT_EQ(json["isa"], "scalar");
  EXPECT_EQ(json["numel"], 5000);
  EXPECT_EQ(json["leaves_the_cache"], false);
  EXPECT_TRUE(json["wrong"].empty());
  const auto& last = json["operators"].back();
  EXPECT_EQ(last["operator"], "topk:2%") << "a word that is part of no known spec is one";
  EXPECT_EQ(last["tasks"].size(), 3u);
  EXPECT_EQ(last["tasks"][0]["task"], "encode + feedback");
  EXPECT_GT(last["tasks"][0]["ratios"]["update"]["median"], 0);
  EXPECT_GT(last["rooflines_seconds"]["copy"]["low"], 0);
}

}  // namespace
}  // namespace gradwire::train
