// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "support/conservation.h"

namespace gradwire {
namespace {

using namespace testing;

/// Some order of the parameters, cut into buckets somewhere.
Layout AnyLayout(size_t parameters) {
  std::vector<uint32_t> order(parameters);
  for (uint32_t p = 0; p < parameters; ++p) order[p] = p;
  for (size_t i = parameters; i > 1; --i) std::swap(order[i - 1], order[*rc::gen::inRange<size_t>(0, i)]);
  Layout layout(1);
  for (const uint32_t p : order) {
    if (!layout.back().empty() && *rc::gen::arbitrary<bool>()) layout.emplace_back();
    layout.back().push_back(p);
  }
  return layout;
}

TEST(ConservationProperty, HoldsForAnyParametersLayoutsAndWorkers) {
  EXPECT_TRUE(rc::check("error feedback conserves", [] {
    Trial trial;
    trial.combination = *rc::gen::elementOf(Combinations({"ef"}));
    const auto count = *rc::gen::inRange<size_t>(1, 6);
    for (size_t p = 0; p < count; ++p)
      trial.parameters.push_back(
          {std::string(p + 1, 'p'), {*rc::gen::inRange<int64_t>(1, 3000), *rc::gen::inRange<int64_t>(1, 3)}});
    const auto layouts = *rc::gen::inRange<size_t>(1, 4);
    for (size_t i = 0; i < layouts; ++i) trial.layouts.push_back(AnyLayout(count));
    trial.steps_each = *rc::gen::inRange<uint64_t>(1, 5);
    trial.workers = *rc::gen::inRange(1, 5);
    trial.seed = *rc::gen::arbitrary<uint64_t>();
    RC_ASSERT(Imbalance<float>(trial) <= 1);
  }));
}

}  // namespace
}  // namespace gradwire
