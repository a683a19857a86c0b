// SPDX-License-Identifier: Apache-2.0
#include "kernels/codes.h"

#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace gradwire {
namespace {

using kernels::CodeSpace;

std::vector<std::byte> Pack(CodeSpace space, const std::vector<uint16_t>& codes) {
  std::vector<std::byte> bytes(space.bytes(codes.size()), std::byte{0xff});
  kernels::ForBlocks(codes.size(), [&](size_t first, size_t n) {
    space.Pack(codes.size(), first, std::span(codes).subspan(first, n), bytes.data());
  });
  return bytes;
}

std::vector<uint16_t> Unpack(CodeSpace space, const std::vector<std::byte>& bytes, size_t n) {
  std::vector<uint16_t> codes(n);
  kernels::ForBlocks(n, [&](size_t first, size_t count) {
    space.Unpack(n, first, bytes.data(), std::span(codes).subspan(first, count));
  });
  return codes;
}

RC_GTEST_PROP(Codes, ReadBackAsTheyWereWritten, ()) {
  const uint32_t symbols = *rc::gen::oneOf(rc::gen::inRange<uint32_t>(2, 20), rc::gen::inRange<uint32_t>(2, 65537));
  const size_t n = *rc::gen::oneOf(rc::gen::inRange<size_t>(0, 40), rc::gen::inRange<size_t>(0, 3000));
  const auto codes = *rc::gen::container<std::vector<uint16_t>>(
      n, rc::gen::map(rc::gen::inRange<uint32_t>(0, symbols), [](uint32_t c) { return static_cast<uint16_t>(c); }));
  RC_ASSERT(Unpack(CodeSpace(symbols), Pack(CodeSpace(symbols), codes), n) == codes);
}

TEST(Codes, TakeAsFewBitsAsTheLargestNeeds) {
  EXPECT_EQ(CodeSpace(2).bytes(17), 3u);
  EXPECT_EQ(CodeSpace(3).bytes(16), 4u);          // five to a byte
  EXPECT_EQ(CodeSpace(3).bytes(1024 + 6), 207u);  // 205 a block
  EXPECT_EQ(CodeSpace(15).bytes(16), 8u);         // 4 bits
  EXPECT_EQ(CodeSpace(255).bytes(16), 16u);       // 8 bits
  EXPECT_EQ(CodeSpace(512).bytes(16), 18u);       // 9 bits
  EXPECT_EQ(CodeSpace(65536).bytes(3), 6u);
}

std::vector<std::byte> Bytes(const std::vector<int>& values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(Codes, LieWhereTheFormatSays) {
  EXPECT_EQ(Pack(CodeSpace(16), {1, 2, 15}), Bytes({0xf1, 0x02}));  // bytes j: codes j and 2 + j
  EXPECT_EQ(Pack(CodeSpace(8), {1, 2, 7, 4, 5}),
            Bytes({1 + 4 * 3 + 16 * 1, 2 + 4 * 0, 0b11100}));  // lower two bits, j, 2 + j, 4 + j; then third bits
  EXPECT_EQ(Pack(CodeSpace(512), {0x1ff, 1, 0x102}), Bytes({0xff, 1, 2, 0b101}));  // lower bytes, then ninth bits
  EXPECT_EQ(Pack(CodeSpace(3), {1, 2, 0, 0, 2, 1}),
            Bytes({1 + 3 * 0 + 9 * 2, 2 + 3 * 0 + 9 * 1}));  // digits k: 2 k + j
}

TEST(Codes, BytesThatAreNoFiveDigitsGiveNoCode) {
  EXPECT_EQ(Unpack(CodeSpace(3), Bytes({243, 242}), 10), (std::vector<uint16_t>{3, 2, 3, 2, 3, 2, 3, 2, 3, 2}));
}

}  // namespace
}  // namespace gradwire
