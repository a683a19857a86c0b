// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "wire/wire.h"

namespace gradwire {
namespace {

RC_GTEST_PROP(Frame, SealedMessagesOpenAsTheyWere, ()) {
  Frame frame;
  frame.token = *rc::gen::arbitrary<uint64_t>(), frame.step = *rc::gen::arbitrary<uint64_t>();
  frame.bucket = *rc::gen::arbitrary<uint32_t>(), frame.sender = *rc::gen::arbitrary<uint32_t>();
  frame.layout = *rc::gen::arbitrary<uint64_t>(), frame.channel = *rc::gen::arbitrary<uint32_t>();
  const Frame expected = frame;
  frame.flags = *rc::gen::element<uint16_t>(0, Frame::kPoisoned);
  const auto payload = *rc::gen::arbitrary<std::vector<uint8_t>>();
  std::vector<std::byte> message(sizeof(Frame) + payload.size());
  if (!payload.empty()) std::memcpy(message.data() + sizeof(Frame), payload.data(), payload.size());
  Seal(frame, message);
  const Frame opened = Open(message, expected);
  RC_ASSERT(opened.flags == frame.flags && opened.size == payload.size());
  RC_ASSERT(opened.token == frame.token && opened.step == frame.step && opened.layout == frame.layout);
  const bool same = payload.empty() || std::memcmp(message.data() + sizeof(Frame), payload.data(), payload.size()) ==
                                           0;  // RC_ASSERT does not short-circuit
  RC_ASSERT(same);
}

}  // namespace
}  // namespace gradwire
