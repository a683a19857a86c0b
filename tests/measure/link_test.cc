// SPDX-License-Identifier: Apache-2.0
#include "measure/link.h"

#include <cmath>
#include <mutex>
#include <set>

#include <gtest/gtest.h>

#include "support/ranks.h"

namespace gradwire {
namespace {

TEST(MeasureLink, GivesAllRanksTheSameNumbers) {
  for (const int size : {2, 3}) {
    std::mutex mutex;
    std::set<std::pair<double, double>> seen;
    testing::RunRanks(size, [&](Collective& collective) {
      const LinkSpeed speed = MeasureLink(collective, /*bytes=*/100'000, /*rounds=*/3);
      const std::lock_guard lock(mutex);
      seen.insert({speed.latency_s, speed.bytes_per_s});
    });
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_GT(seen.begin()->first, 0);
    EXPECT_GT(seen.begin()->second, 0);
  }
}

TEST(MeasureSums, GivesAllRanksTheSameNumbers) {
  std::mutex mutex;
  std::set<std::pair<double, double>> seen;
  testing::RunRanks(3, [&](Collective& collective) {
    const auto sum = [&](std::span<float> values) { collective.Finish(collective.StartAllReduce(values)); };
    const LinkSpeed speed = MeasureSums(collective, sum, /*numel=*/100'000, /*rounds=*/3);
    const std::lock_guard lock(mutex);
    seen.insert({speed.latency_s, speed.bytes_per_s});
  });
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_GT(seen.begin()->first, 0);
  EXPECT_GT(seen.begin()->second, 0);
}

TEST(LargestOf, IsTheLargestOfEachNumberOnAllRanks) {
  testing::RunRanks(3, [](Collective& collective) {
    const double rank = collective.rank();
    const double mine[] = {rank, 10 - rank, rank == 1 ? 7.0 : 0.5};
    EXPECT_EQ(LargestOf(collective, mine), (std::vector<double>{2, 10, 7}));
  });
}

TEST(MeasureLink, OfOneRankIsWithoutALimit) {
  testing::RunRanks(
      1, [](Collective& collective) { EXPECT_TRUE(std::isinf(MeasureLink(collective, 1000, 1).bytes_per_s)); });
}

}  // namespace
}  // namespace gradwire
