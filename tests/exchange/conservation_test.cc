// SPDX-License-Identifier: Apache-2.0
// Error feedback loses nothing (support/conservation.h), also when DDP rebuilds its buckets on the way.
#include <gtest/gtest.h>

#include "support/conservation.h"

namespace gradwire {
namespace {

using namespace testing;

class Conservation : public ::testing::TestWithParam<Combination> {
 protected:
  /// Parameters of one piece and of several, dense ones among them; buckets rebuilt in another order and number.
  Trial ThroughARebuild() const {
    return {GetParam(),
            {{"conv", {70, 31}}, {"bias", {70}}, {"two_pieces", {257, 300}}, {"small", {7, 11}}, {"fc", {1300, 1}}},
            {{{4, 3}, {2, 1, 0}}, {{1, 4}, {3}, {0, 2}}, {{0, 1, 2, 3, 4}}}};
  }
};

TEST_P(Conservation, OfFloatsThroughRebuiltBuckets) { EXPECT_LE(Imbalance<float>(ThroughARebuild()), 1); }
TEST_P(Conservation, OfDoublesThroughRebuiltBuckets) { EXPECT_LE(Imbalance<double>(ThroughARebuild()), 1); }

INSTANTIATE_TEST_SUITE_P(, Conservation, ::testing::ValuesIn(Combinations({"ef", "powersgd"})),
                         [](const auto& info) { return NameOf(info.param); });

}  // namespace
}  // namespace gradwire
