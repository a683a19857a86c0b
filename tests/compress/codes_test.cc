// SPDX-License-Identifier: Apache-2.0
#include "kernels/codes.h"

#include <vector>

#include <gtest/gtest.h>

#include "support/packed_codes.h"

namespace gradwire {
namespace {

using kernels::CodeSpace;
using testing::Pack;
using testing::Unpack;

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
