// SPDX-License-Identifier: Apache-2.0
// A rank that says nothing of a bucket keeps what it said last, which counts in the mean with what the others say.
#include <gtest/gtest.h>

#include "exchange/joint_exchange.h"
#include "gradwire/exchange.h"
#include "gradwire/method.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

constexpr size_t kRanks = 3;
const std::vector<Parameter> kParameters = {{"x", {2}}};
const Segment kAll{0, 0, 2};

ExchangeParts Kept() {
  CommConfig comm;
  comm.method = "ef21", comm.compressor = "identity";
  comm.min_compress_numel = 0, comm.compress_1d = true;
  ExchangeParts parts = MakeParts(comm, 1);
  parts.may_be_silent = true;
  parts.count_as = FindBitRule("paper");
  return parts;
}

/// What rank says in a step, and who says nothing.
std::vector<double> Said(size_t rank, uint64_t step) {
  return {static_cast<double>(8 * rank + step), static_cast<double>(step * step)};
}
bool IsSilent(size_t rank, uint64_t step) { return step > 0 && (rank + step) % kRanks == 0; }

/// The mean of what all said last, whole numbers that no sum rounds.
std::vector<double> Expected(uint64_t step) {
  std::vector<double> sum(2);
  for (size_t rank = 0; rank < kRanks; ++rank) {
    uint64_t last = step;
    while (IsSilent(rank, last)) --last;
    for (size_t j = 0; j < 2; ++j) sum[j] += Said(rank, last)[j];
  }
  for (double& v : sum) v /= kRanks;
  return sum;
}

void ExpectNear(std::span<const double> found, const std::vector<double>& expected, uint64_t step) {
  for (size_t j = 0; j < 2; ++j) EXPECT_NEAR(found[j], expected[j], 1e-13) << step;
}

constexpr uint64_t kSteps = 7;
/// Numbers of a rank that speaks in the first step and where it is not silent.
uint64_t PaperBits(size_t rank) {
  uint64_t bits = 0;
  for (uint64_t step = 0; step < kSteps; ++step) bits += IsSilent(rank, step) ? 0 : 2 * 32;
  return bits;
}

TEST(Silence, CountsWhatWasSaidLastOverRanks) {
  testing::RunRanks(kRanks, [](Collective& collective) {
    Exchange<double> exchange(collective, kParameters, Kept());
    const auto rank = static_cast<size_t>(collective.rank());
    for (uint64_t step = 0; step < kSteps; ++step) {
      std::vector<double> values = Said(rank, step);
      const bool silent = IsSilent(rank, step);
      if (silent) values = {1e9, 1e9};  // not looked at
      exchange.Finish(exchange.Start(step, {.segments = {&kAll, 1}, .values = values, .silent = silent}));
      ExpectNear(values, Expected(step), step);
    }
    EXPECT_EQ(exchange.stats().paper_bits, PaperBits(rank));
  });
}

TEST(Silence, CountsWhatWasSaidLastInOneProcess) {
  JointExchange<double> exchange(kRanks, 2, kParameters, Kept());
  for (uint64_t step = 0; step < kSteps; ++step) {
    std::vector<std::vector<double>> values;
    std::vector<Bucket<double>> buckets;
    for (size_t rank = 0; rank < kRanks; ++rank) values.push_back(Said(rank, step));
    for (size_t rank = 0; rank < kRanks; ++rank)
      buckets.push_back({.segments = {&kAll, 1}, .values = values[rank], .silent = IsSilent(rank, step)});
    ExpectNear(exchange.Mean(step, buckets), Expected(step), step);
    for (size_t rank = 0; rank < kRanks; ++rank) EXPECT_EQ(values[rank], Said(rank, step)) << "left as they are";
  }
  for (size_t rank = 0; rank < kRanks; ++rank) EXPECT_EQ(exchange.stats(rank).paper_bits, PaperBits(rank));
}

}  // namespace
}  // namespace gradwire
