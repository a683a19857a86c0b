// SPDX-License-Identifier: Apache-2.0
#include "base/philox.h"

#include <array>
#include <cmath>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace gradwire {
namespace {

using Block = std::array<uint32_t, 4>;

Block Philox4x32(const Block& counter, const std::array<uint32_t, 2>& key) {
  const r123::Philox4x32::ctr_type block =
      r123::Philox4x32{}({{counter[0], counter[1], counter[2], counter[3]}}, {{key[0], key[1]}});
  return {block[0], block[1], block[2], block[3]};
}

template <typename... Stream>
std::vector<uint32_t> First(size_t n, Stream... stream) {
  Philox random(stream...);
  std::vector<uint32_t> words(n);
  for (uint32_t& word : words) word = random.Next();
  return words;
}

TEST(Philox, GeneratorGivesTheKnownAnswers) {  // Random123's kat_vectors, philox4x32 10
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(Philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, StreamIsTheGeneratorAtItsKeyAndCounter) {  // payload bytes depend on it: a change is a change of format
  EXPECT_EQ(First(4, 0x9E3779B9u, Purpose::kCompress),
            std::vector<uint32_t>({0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const auto words = First(8, 0x123456789abcdef0u, Purpose::kShuffle, 0x1111111122222222u, 0x3333333344444444u);
  const std::array<uint32_t, 2> key = {0x9abcdef0u ^ 2 * 0x9E3779B9u, 0x12345678u ^ 0x11111111u * 0x85EBCA6Bu};
  for (const uint32_t block : {0, 1}) {
    const Block wanted = Philox4x32({block, 0x22222222, 0x44444444, 0x33333333}, key);
    for (size_t i = 0; i < 4; ++i) EXPECT_EQ(words[4 * block + i], wanted[i]) << block << ", " << i;
  }
}

TEST(Philox, NeighbouringStreamsShareNoNumber) {
  std::set<uint32_t> seen;
  size_t drawn = 0;
  const auto draw = [&](uint64_t seed, Purpose purpose, uint64_t a, uint64_t b) {
    for (const uint32_t word : First(64, seed, purpose, a, b)) seen.insert(word), ++drawn;
  };
  for (const uint64_t a : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32})
    for (const uint64_t b : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32}) {
      draw(1, Purpose::kCompress, a, b), draw(2, Purpose::kCompress, a, b), draw(1, Purpose::kShuffle, a, b);
      draw(uint64_t{1} << 32 | 1, Purpose::kCompress, a, b);
    }
  EXPECT_LE(drawn - seen.size(), 2u) << "2,304 words of 32 bits: 0.0006 chance collisions are expected";
}

TEST(Philox, BelowIsUniformAndNeverReachesItsBound) {
  constexpr uint32_t kBound = 7;
  constexpr int kDraws = 70000;
  Philox random(5, Purpose::kSample);
  std::array<int, kBound> counts{};
  for (int i = 0; i < kDraws; ++i) ++counts.at(random.Below(kBound));
  const double expected = 1.0 * kDraws / kBound, sigma = std::sqrt(expected * (1 - 1.0 / kBound));
  for (const int count : counts) EXPECT_NEAR(count, expected, 5 * sigma);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.Below(1), 0u);
}

TEST(Philox, BelowHasNoBiasWhereTheBoundDoesNotDivide) {  // plain multiplication gives thirds of 2^32 at 1/2, 1/4, 1/4
  constexpr uint32_t kBound = 3u << 30;
  constexpr int kDraws = 30000;
  Philox random(6, Purpose::kSample);
  std::array<int, 3> residues{};
  for (int i = 0; i < kDraws; ++i) ++residues[random.Below(kBound) % 3];
  for (const int count : residues) EXPECT_NEAR(count, kDraws / 3, 5 * std::sqrt(kDraws * 2.0 / 9));
}

TEST(Philox, UniformHas53BitsInTheUnitInterval) {
  constexpr int kDraws = 100000;
  Philox random(7, Purpose::kSample);
  double sum = 0, squares = 0;
  bool low_bits = false;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.Uniform();
    ASSERT_TRUE(u >= 0 && u < 1);
    low_bits |= std::fmod(std::ldexp(u, 53), 2) == 1;
    sum += u, squares += u * u;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 5 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / kDraws));
  EXPECT_TRUE(low_bits);
}

}  // namespace
}  // namespace gradwire
