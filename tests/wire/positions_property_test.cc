// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "wire/coded_positions.h"

namespace gradwire {
namespace {

using namespace testing;

RC_GTEST_PROP(Positions, ReadBackAsTheyWereWritten, ()) {
  const size_t d = *rc::gen::oneOf(rc::gen::inRange<size_t>(1, 70), rc::gen::inRange<size_t>(1, 70000));
  const size_t k = *rc::gen::oneOf(rc::gen::inRange<size_t>(0, d + 1), rc::gen::inRange<size_t>(0, d / 50 + 1));
  const Positions positions = RandomPositions(k, d, *rc::gen::arbitrary<uint64_t>());
  const Bytes bytes = Code(positions, d);
  RC_ASSERT(Read(bytes, k, d) == positions);
  RC_ASSERT(Code(positions, d, std::byte{0}) == bytes);
}

RC_GTEST_PROP(Positions, TakeAboutHalfABitEachMoreThanTheirEntropyAndNeverMoreThanABitAnElement, ()) {
  const size_t d = *rc::gen::inRange<size_t>(1, 1000000), k = *rc::gen::inRange<size_t>(0, d / 3 + 1);
  const double bits = static_cast<double>(PositionCode(k, d).bits()), entropy = Entropy(k, d);
  RC_ASSERT(bits >= entropy - 1e-6 * entropy);
  // For k << d a position costs x - log2(e x) + 1 bits more, with 1 <= x <= 2 by the choice of l: at most 2 - log2(e).
  RC_ASSERT(bits <= entropy + 0.558 * static_cast<double>(k) + std::log2(static_cast<double>(k) + 1) / 2 + 3);
  RC_ASSERT(PositionCode(d - k, d).bits() <= d);
}

}  // namespace
}  // namespace gradwire
