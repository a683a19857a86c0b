// SPDX-License-Identifier: Apache-2.0
#include "train/data/sampler.h"

#include <algorithm>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "gradwire/error.h"

namespace gradwire::train {
namespace {

std::vector<uint32_t> Batch(Sampler& sampler, uint64_t epoch, size_t batch) {
  const auto indices = sampler.Batch(epoch, batch);
  return {indices.begin(), indices.end()};
}

/// All indices of an epoch, one rank after the other.
std::vector<uint32_t> Epoch(size_t size, size_t batch_size, size_t ranks, uint64_t seed, uint64_t epoch) {
  std::vector<uint32_t> all;
  for (size_t rank = 0; rank < ranks; ++rank) {
    Sampler sampler(size, batch_size, rank, ranks, seed);
    for (size_t b = 0; b < sampler.BatchesPerEpoch(); ++b) {
      const auto batch = Batch(sampler, epoch, b);
      EXPECT_EQ(batch.size(), batch_size);
      all.insert(all.end(), batch.begin(), batch.end());
    }
  }
  return all;
}

TEST(SamplerTest, RanksShareAnEpochWithoutOverlap) {
  for (const size_t ranks : {1u, 2u, 3u, 4u}) {
    std::vector<uint32_t> all = Epoch(120, 5, ranks, 1, 0);
    std::sort(all.begin(), all.end());
    std::vector<uint32_t> expected(120);
    std::iota(expected.begin(), expected.end(), 0u);
    EXPECT_EQ(all, expected) << ranks << " ranks";
  }
}

TEST(SamplerTest, TheRemainderIsDroppedAndAllRanksHaveTheSameNumberOfBatches) {
  for (const size_t size : {120u, 121u, 139u}) {
    const std::vector<uint32_t> all = Epoch(size, 5, 4, 1, 0);
    EXPECT_EQ(all.size(), 120u);
    EXPECT_EQ(std::set<uint32_t>(all.begin(), all.end()).size(), 120u);
  }
}

TEST(SamplerTest, AGlobalBatchDoesNotDependOnHowManyRanksShareIt) {
  Sampler one(130, 12, 0, 1, 9);
  for (size_t b = 0; b < one.BatchesPerEpoch(); ++b) {
    for (const size_t ranks : {2u, 3u, 4u}) {
      std::vector<uint32_t> united;
      for (size_t rank = 0; rank < ranks; ++rank) {
        Sampler share(130, 12 / ranks, rank, ranks, 9);
        const auto batch = Batch(share, 3, b);
        united.insert(united.end(), batch.begin(), batch.end());
      }
      EXPECT_EQ(united, Batch(one, 3, b));
    }
  }
}

TEST(SamplerTest, AnOrderIsAFunctionOfSeedAndEpochAlone) {
  Sampler sampler(100, 10, 0, 1, 5), late(100, 10, 0, 1, 5), other(100, 10, 0, 1, 6);
  const auto first = Batch(sampler, 0, 0), second = Batch(sampler, 1, 0);
  EXPECT_NE(first, second);
  EXPECT_EQ(Batch(sampler, 0, 0), first);
  EXPECT_EQ(Batch(late, 1, 0), second);
  EXPECT_NE(Batch(other, 0, 0), first);
}

// Chi-square of where image 0 lands in 1,000 epochs of 10 images: 9 degrees of freedom, mean 9, and above 33.7 with
// probability 1e-4.
TEST(SamplerTest, EveryPositionIsEquallyLikely) {
  Sampler sampler(10, 10, 0, 1, 2);
  std::vector<double> counts(10);
  for (uint64_t epoch = 0; epoch < 1000; ++epoch) {
    const auto order = Batch(sampler, epoch, 0);
    counts[static_cast<size_t>(std::find(order.begin(), order.end(), 0u) - order.begin())] += 1;
  }
  double chi_square = 0;
  for (const double count : counts) chi_square += (count - 100) * (count - 100) / 100;
  EXPECT_LT(chi_square, 33.7);
}

TEST(SamplerTest, ASetSmallerThanOneGlobalBatchIsAConfigError) {
  EXPECT_THROW(Sampler(19, 10, 0, 2, 0), ConfigError);
  EXPECT_EQ(Sampler(20, 10, 0, 2, 0).BatchesPerEpoch(), 1u);
}

}  // namespace
}  // namespace gradwire::train
