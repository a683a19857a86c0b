// SPDX-License-Identifier: Apache-2.0
#include "wire/positions.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "wire/coded_positions.h"

namespace gradwire {
namespace {

using namespace testing;

TEST(Positions, EverySubsetOfSmallSetsHasACodeOfItsOwn) {
  for (size_t d = 0; d <= 10; ++d)
    for (uint32_t subset = 0; subset < 1u << d; ++subset) {
      Positions positions;
      for (uint32_t i = 0; i < d; ++i)
        if (subset >> i & 1) positions.push_back(i);
      EXPECT_EQ(Read(Code(positions, d), positions.size(), d), positions);
    }
}

TEST(Positions, OfHugeTensorsAreCodedUpTo2To31) {
  constexpr uint32_t kNumel = 1u << 31;
  const Positions positions = {0, 1, 5, 1u << 30, kNumel - 2, kNumel - 1};
  EXPECT_EQ(Read(Code(positions, kNumel), positions.size(), kNumel), positions);
  EXPECT_EQ(Read(Code({kNumel - 1}, kNumel), 1, kNumel), Positions{kNumel - 1});
  EXPECT_THROW(PositionCode(1, size_t{kNumel} + 1), Error);
}

TEST(Positions, TakeLittleMoreThanTheirEntropy) {
  constexpr size_t kNumel = 65536;
  const auto ratio = [](size_t k) { return static_cast<double>(PositionCode(k, kNumel).bits()) / Entropy(k, kNumel); };
  EXPECT_LE(ratio(66), 1.06);   // 0.1 %
  EXPECT_LE(ratio(655), 1.06);  // 1 %
  EXPECT_LE(ratio(6554), 1.1);  // 10 %: half a bit is more of a position that has 4.7
  EXPECT_EQ(PositionCode(655, kNumel).bytes(), 700u);
}

TEST(Positions, OfNoneOrAllTakeNoBytesAndOfOneItsBits) {
  for (const size_t d : {0, 1, 5, 65536}) {
    EXPECT_EQ(PositionCode(0, d).bytes(), 0u);
    EXPECT_EQ(PositionCode(d, d).bytes(), 0u);
  }
  EXPECT_EQ(PositionCode(1, 65536).bits(), 16u);
  EXPECT_EQ(PositionCode(1, 65537).bits(), 17u);
}

TEST(Positions, LieWhereTheFormatSays) {  // rests 1, 1, 4 below 9: l = 1; lower bits 1, 1, 0, then bits 0, 1 and 4
  EXPECT_EQ(Code({1, 2, 6}, 12), (Bytes{std::byte{0x9b}, std::byte{0}}));
}

/// Whether the bytes are taken as positions, and then which.
bool Taken(const Bytes& bytes, size_t k, size_t d) {
  try {
    const Bytes exact = bytes;  // its own memory: a sanitizer sees reads beyond
    const Positions positions = Read(exact, k, d);
    EXPECT_EQ(positions.size(), k);
    EXPECT_EQ(std::ranges::adjacent_find(positions, std::greater_equal<>()), positions.end());
    EXPECT_TRUE(positions.empty() || positions.back() < d);
    EXPECT_EQ(Code(positions, d), exact);
    return true;
  } catch (const PayloadError&) {
    return false;
  }
}

/// Of all bytes of that size exactly C(d, k) are taken: codes of wrong numbers of ones, of rests that fall or are too
/// large, and with unused bits set are not.
TEST(Positions, AreTakenFromTheirCodesAndFromNoOtherBytes) {
  for (size_t d = 0; d <= 14; ++d)
    for (size_t k = 0; k <= d; ++k) {
      const size_t size = PositionCode(k, d).bytes();
      ASSERT_LE(size, 2u);
      int taken = 0;
      for (uint32_t bytes = 0; bytes < 1u << 8 * size; ++bytes) {
        Bytes code(size);
        if (size > 0) std::memcpy(code.data(), &bytes, size);
        taken += Taken(code, k, d);
      }
      EXPECT_EQ(taken, std::lround(std::exp2(Entropy(k, d)))) << k << " of " << d;
    }
}

TEST(Positions, WithABitFlippedAreRefusedOrOthers) {
  for (const auto& [k, d] : std::vector<std::pair<size_t, size_t>>{{66, 65536}, {655, 65536}, {300, 1000}, {7, 100}}) {
    Bytes bytes = Code(RandomPositions(k, d), d);
    int refused = 0;
    for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      bytes[bit / 8] ^= std::byte{1} << bit % 8;
      refused += !Taken(bytes, k, d);
      bytes[bit / 8] ^= std::byte{1} << bit % 8;
    }
    EXPECT_GE(refused, static_cast<int>(PositionCode(k, d).upper_bits));  // each of them changes the number of ones
  }
}

}  // namespace
}  // namespace gradwire
