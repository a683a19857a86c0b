// SPDX-License-Identifier: Apache-2.0
#include "train/report/meter.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace gradwire::train {
namespace {

Totals Counted(uint64_t bits) {
  Totals totals;
  totals.stats.paper_bits = bits;
  return totals;
}

Meter::Step At(int64_t step) { return {.step = step, .total_steps = 100, .per_epoch = 10}; }
constexpr Tally kTally{1, 1, 1};

TEST(Meter, PaperBitsAreThoseSinceTheRunBeganAlsoWhereItGoesOn) {
  Meter first;
  first.Begin(0);
  EXPECT_EQ(first.Interval(At(10), kTally, Counted(100)).bits_paper, 100u);
  EXPECT_EQ(first.Evaluation(At(10), kTally).bits_paper, 100u);
  const Progress saved = first.At(Counted(130), kTally);
  Meter second;
  second.Resume(13, saved, Counted(4));  // what the new process has counted for its start is none of it
  EXPECT_EQ(second.Evaluation(At(13), kTally).bits_paper, 100u);
  EXPECT_EQ(second.Interval(At(20), kTally, Counted(74)).bits_paper, 200u);
}

TEST(Meter, WhereNobodyCountsThereAreNone) {
  Meter meter;
  meter.Begin(0);
  Totals totals;
  totals.counts_paper = false;
  EXPECT_EQ(meter.Interval(At(10), kTally, totals).bits_paper, std::nullopt);
  EXPECT_EQ(meter.Evaluation(At(10), kTally).bits_paper, std::nullopt);
}

TEST(NetworkRecords, HaveThePaperBitsThatThereAre) {
  const Config config;
  NetworkRecords records(config, "images");
  NetworkInterval interval;
  NetworkEvaluation evaluation;
  const auto has = [](const Record& record) {
    return std::ranges::any_of(record.fields, [](const Field& field) { return field.name == "bits_paper"; });
  };
  EXPECT_FALSE(has(records.Interval(interval)));
  EXPECT_FALSE(has(records.Evaluation(evaluation)));
  interval.bits_paper = evaluation.bits_paper = 7;
  EXPECT_TRUE(has(records.Interval(interval)));
  EXPECT_TRUE(has(records.Evaluation(evaluation)));
  EXPECT_TRUE(has(records.Final(evaluation)));
}

}  // namespace
}  // namespace gradwire::train
