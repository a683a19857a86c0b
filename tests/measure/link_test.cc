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

TEST(MeasureLink, OfOneRankIsWithoutALimit) {
  testing::RunRanks(
      1, [](Collective& collective) { EXPECT_TRUE(std::isinf(MeasureLink(collective, 1000, 1).bytes_per_s)); });
}

}  // namespace
}  // namespace gradwire
