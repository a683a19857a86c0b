// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "support/strata.h"

namespace gradwire {
namespace {

using namespace testing;

RC_GTEST_PROP(DrawStrata, GivesKDifferentPositionsThatAscendButAroundTheEnd, ()) {
  const size_t n = *rc::gen::inRange<size_t>(1, 3000), k = *rc::gen::inRange<size_t>(1, n + 1);
  std::vector<uint32_t> positions = Strata(n, k, *rc::gen::arbitrary<uint64_t>());
  RC_ASSERT(std::ranges::max(positions) < n);
  int falls = 0;
  for (size_t j = 1; j < k; ++j) falls += positions[j] < positions[j - 1];
  RC_ASSERT(falls <= 1);
  std::ranges::sort(positions);
  RC_ASSERT(std::ranges::adjacent_find(positions) == positions.end());
}

}  // namespace
}  // namespace gradwire
