// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "kernels/codes.h"
#include "support/packed_codes.h"

namespace gradwire {
namespace {

using kernels::CodeSpace;
using testing::Pack;
using testing::Unpack;

RC_GTEST_PROP(Codes, ReadBackAsTheyWereWritten, ()) {
  const uint32_t symbols = *rc::gen::oneOf(rc::gen::inRange<uint32_t>(2, 20), rc::gen::inRange<uint32_t>(2, 65537));
  const size_t n = *rc::gen::oneOf(rc::gen::inRange<size_t>(0, 40), rc::gen::inRange<size_t>(0, 3000));
  const auto codes = *rc::gen::container<std::vector<uint16_t>>(
      n, rc::gen::map(rc::gen::inRange<uint32_t>(0, symbols), [](uint32_t c) { return static_cast<uint16_t>(c); }));
  RC_ASSERT(Unpack(CodeSpace(symbols), Pack(CodeSpace(symbols), codes), n) == codes);
}

}  // namespace
}  // namespace gradwire
