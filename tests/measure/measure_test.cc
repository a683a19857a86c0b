// SPDX-License-Identifier: Apache-2.0
// What benchmarks count in does what it says: passes over memory, rounds, noise.
#include <cmath>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "measure/memory.h"
#include "measure/operator_trial.h"
#include "measure/rooflines.h"
#include "measure/rounds.h"

namespace gradwire {
namespace {

TEST(Floats, LieOnAHugePagesBoundaryAndAreNoZeros) {
  const Floats floats(1000);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(floats.values().data()) % (2 << 20), 0u);
  for (const float value : floats.values()) EXPECT_NE(value, 0);
}

TEST(FillWithGradient, HasLayersOfDifferentScaleAroundZero) {
  std::vector<float> v(300'000);
  FillWithGradient(v, 1);
  std::set<float> scales;
  for (const size_t layer : {0, 1, 2}) {
    double sum = 0, sum_of_magnitudes = 0;
    const size_t begin = layer * 131072, end = std::min<size_t>(v.size(), begin + 131072);
    for (size_t i = begin; i < end; ++i) sum += v[i], sum_of_magnitudes += std::abs(v[i]);
    EXPECT_LT(std::abs(sum), 0.05 * sum_of_magnitudes);
    scales.insert(static_cast<float>(sum_of_magnitudes / static_cast<double>(end - begin)));
  }
  EXPECT_EQ(scales.size(), 3u);
}

TEST(Pass, CopiesWritesAndUpdatesWholeCacheLines) {
  constexpr size_t kNumel = 16 * 5 + 3;
  const Floats v(kNumel), out(kNumel), before(kNumel);
  Pass(Roofline::kUpdate, v.values(), out.span());
  for (size_t i = 0; i < kNumel; ++i) EXPECT_EQ(out.values()[i], i < 80 ? 2 * v.values()[i] : v.values()[i]) << i;
  Pass(Roofline::kCopy, v.values(), out.span());
  for (size_t i = 0; i < kNumel; ++i) EXPECT_EQ(out.values()[i], v.values()[i]) << i;
  Pass(Roofline::kRead, v.values(), out.span());
  for (size_t i = 0; i < kNumel; ++i) EXPECT_EQ(out.values()[i], v.values()[i]) << i;
  Pass(Roofline::kWrite, v.values(), out.span());
  for (size_t i = 0; i < kNumel; ++i) EXPECT_EQ(out.values()[i], i < 80 ? 1.5f : v.values()[i]) << i;
}

TEST(TimeRounds, RunsEachSubjectOnceARoundAndRotatesTheSets) {
  std::vector<size_t> sets, prepared;
  std::vector<Subject> subjects(3, {[&](size_t set) { sets.push_back(set); }});
  subjects[1].prepare = [&](size_t set) { prepared.push_back(set); };
  const auto times = TimeRounds(subjects, /*rounds=*/4, /*sets=*/4, Clock::kWall);
  ASSERT_EQ(times.size(), 3u);
  for (const auto& of_subject : times) EXPECT_EQ(of_subject.size(), 4u);
  ASSERT_EQ(sets.size(), 3u * 5u);  // with the round that is not counted
  EXPECT_EQ(prepared.size(), 5u);
  for (size_t run = 0; run < sets.size(); ++run) EXPECT_EQ(sets[run], run % 4);
}

TEST(SecondsOf, TheThreadsClockStandsStillWhileItSleeps) {
  const double wall = SecondsOf(Clock::kWall), thread = SecondsOf(Clock::kThread);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_GE(SecondsOf(Clock::kWall) - wall, 0.05);
  EXPECT_LT(SecondsOf(Clock::kThread) - thread, 0.04);
}

TEST(OperatorTrial, KeepsWhatItLeavesOut) {
  std::vector<float> v(150'000), residual(v.size()), sent(v.size());
  FillWithGradient(v, 1);
  for (const char* spec : {"sign", "topk:1%", "randk:10%", "clip:1"}) {
    OperatorTrial trial(spec, v.size(), 1);
    std::ranges::fill(residual, 0.0f);
    trial.EncodeWithFeedback(0, v, residual);
    trial.Decode(1, sent);
    for (size_t i = 0; i < v.size(); ++i)
      ASSERT_NEAR(sent[i] + residual[i], v[i], 1e-6 * std::abs(sent[i]) + 1e-12) << spec;
  }
}

TEST(OperatorTrial, DecodesTheMeanOfItsWorkers) {
  OperatorTrial trial("identity", 70'000, 2);
  const std::vector<float> a(70'000, 1.0f), b(70'000, 3.0f);
  trial.Encode(0, a), trial.Encode(1, b);
  std::vector<float> mean(70'000);
  trial.Decode(2, mean);
  EXPECT_EQ(mean, std::vector<float>(70'000, 2.0f));
  EXPECT_EQ(trial.PayloadBytes(1), 4u * 70'000);
}

}  // namespace
}  // namespace gradwire
