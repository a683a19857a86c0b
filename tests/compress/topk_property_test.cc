// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "support/sorted_topk.h"

namespace gradwire {
namespace {

using namespace testing;

RC_GTEST_PROP(TopK, IsTheSortedReferenceForAnyVector, ()) {
  const auto element =
      rc::gen::oneOf(rc::gen::map(rc::gen::inRange(-3, 4), [](int i) { return static_cast<float>(i); }),
                     rc::gen::map(rc::gen::inRange(-4000, 4000), [](int i) { return std::ldexp(1.5f, i / 32); }));
  const auto x = *rc::gen::nonEmpty(rc::gen::container<std::vector<float>>(element));
  const size_t k = *rc::gen::inRange<size_t>(1, x.size() + 2);
  RC_ASSERT(TopK(std::to_string(k), x) == Reference(k, x));
}

}  // namespace
}  // namespace gradwire
