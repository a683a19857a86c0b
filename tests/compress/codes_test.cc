// SPDX-License-Identifier: Apache-2.0
#include "kernels/codes.h"

#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace gradwire {
namespace {

using kernels::CodeReader;
using kernels::CodeSpace;
using kernels::CodeWriter;

std::vector<std::byte> Pack(CodeSpace space, const std::vector<uint32_t>& codes) {
  std::vector<std::byte> bytes(space.bytes(codes.size()), std::byte{0xff});
  CodeWriter writer(space, bytes.data());
  for (const uint32_t code : codes) writer.Put(code);
  writer.Finish();
  return bytes;
}

RC_GTEST_PROP(Codes, ReadBackAsTheyWereWritten, ()) {
  const uint32_t symbols = *rc::gen::oneOf(rc::gen::inRange<uint32_t>(2, 20), rc::gen::inRange<uint32_t>(2, 65537));
  const auto codes = *rc::gen::container<std::vector<uint32_t>>(rc::gen::inRange<uint32_t>(0, symbols));
  const CodeSpace space(symbols);
  const std::vector<std::byte> bytes = Pack(space, codes);
  CodeReader reader(space, bytes.data());
  for (const uint32_t code : codes) RC_ASSERT(reader.Next() == code);
}

TEST(Codes, TakeAsFewBitsAsTheLargestNeeds) {
  EXPECT_EQ(CodeSpace(2).bytes(17), 3u);
  EXPECT_EQ(CodeSpace(3).bytes(16), 4u);     // five to a byte
  EXPECT_EQ(CodeSpace(15).bytes(16), 8u);    // 4 bits
  EXPECT_EQ(CodeSpace(255).bytes(16), 16u);  // 8 bits
  EXPECT_EQ(CodeSpace(512).bytes(16), 18u);  // 9 bits
  EXPECT_EQ(CodeSpace(65536).bytes(3), 6u);
}

TEST(Codes, LieWhereTheFormatSays) {
  EXPECT_EQ(Pack(CodeSpace(16), {1, 2, 15}), (std::vector<std::byte>{std::byte{0x21}, std::byte{0x0f}}));
  EXPECT_EQ(Pack(CodeSpace(512), {0x1ff, 1}), (std::vector<std::byte>{std::byte{0xff}, std::byte{0x03}, std::byte{0}}));
  EXPECT_EQ(Pack(CodeSpace(3), {1, 2, 0, 0, 2, 1}), (std::vector<std::byte>{std::byte{1 + 6 + 162}, std::byte{1}}));
}

TEST(Codes, BytesThatAreNoFiveDigitsGiveNoCode) {
  const std::byte bytes[] = {std::byte{243}, std::byte{242}};
  CodeReader reader(CodeSpace(3), bytes);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(reader.Next(), 3u);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(reader.Next(), 2u);
}

}  // namespace
}  // namespace gradwire
