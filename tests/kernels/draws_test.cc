// SPDX-License-Identifier: Apache-2.0
// The draws of elements: the generator's known answers, their places, and that a toss reads all of a draw.
#include <array>
#include <bit>
#include <cmath>
#include <set>
#include <vector>

#include <Random123/philox.h>
#include <gtest/gtest.h>

#include "compress/stream.h"
#include "kernels/scalar/draw.h"
#include "support/operators.h"

namespace gradwire {
namespace {

using namespace testing;
using kernels::scalar::Draw;

using Block = std::array<uint32_t, 4>;

Block Drawn(const Block& counter, const std::array<uint32_t, 2>& key) {
  const Draws draws = {{key[0], key[1]}, {counter[1], counter[2], counter[3]}};
  const auto c = kernels::scalar::DrawnBlock(draws, counter[0]);
  return {c.c0, c.c1, c.c2, c.c3};
}

TEST(DrawnBlock, GivesTheKnownAnswers) {  // Random123's kat_vectors, philox4x32 7
  EXPECT_EQ(Drawn({0, 0, 0, 0}, {0, 0}), (Block{0x5f6fb709, 0x0d893f64, 0x4f121f81, 0x4f730a48}));
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(Drawn({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Block{0x5207ddc2, 0x45165e59, 0x4d8ee751, 0x8c52f662}));
  EXPECT_EQ(Drawn({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0x4dfccaba, 0x190a87f0, 0xc47362ba, 0xb6b5242a}));
}

TEST(DrawnBlock, IsPhiloxOfSevenRounds) {
  for (uint32_t i = 0; i < 1000; ++i) {
    const uint32_t mixed = i * 2654435761u;
    const auto wanted = r123::Philox4x32_R<7>{}({{i, mixed, ~mixed, i * i}}, {{mixed ^ 5, i}});
    EXPECT_EQ(Drawn({i, mixed, ~mixed, i * i}, {mixed ^ 5, i}), (Block{wanted[0], wanted[1], wanted[2], wanted[3]}));
  }
}

template <typename T>
std::vector<typename Draw<T>::Word> Words(const Draws& draws, size_t n) {
  std::vector<typename Draw<T>::Word> words(n);
  for (size_t first = 0; first < n; first += kernels::scalar::kDrawBlock)
    kernels::scalar::DrawWords<T>(draws, first,
                                  std::span(words).subspan(first, std::min(kernels::scalar::kDrawBlock, n - first)));
  return words;
}

/// Xoshiro128++ in its authors' order of statements.
class Xoshiro {
 public:
  explicit Xoshiro(const Block& state) : s_(state) {}
  uint32_t Next() {
    const uint32_t result = std::rotl(s_[0] + s_[3], 7) + s_[0], t = s_[1] << 9;
    s_[2] ^= s_[0], s_[3] ^= s_[1], s_[1] ^= s_[2], s_[0] ^= s_[3];
    s_[2] ^= t, s_[3] = std::rotl(s_[3], 11);
    return result;
  }

 private:
  Block s_;
};

TEST(Xoshiro, GivesTheKnownAnswers) {  // of the state 1, 2, 3, 4: those that other implementations are tested with
  Xoshiro random({1, 2, 3, 4});
  for (const uint32_t wanted : {641u, 1573767u, 3222811527u, 3517856514u, 836907274u, 4247214768u, 3867114732u,
                                1355841295u, 495546011u, 621204420u})
    EXPECT_EQ(random.Next(), wanted);
}

TEST(Draws, LieWhereTheFormatSays) {  // src/wire/FORMAT.md, "Draws of elements"
  const Draws draws = DrawsOf(SiteOf(Piece::Whole(5000)));
  const auto block = [&](size_t number) {
    return Drawn({static_cast<uint32_t>(number), draws.counter[0], draws.counter[1], draws.counter[2]},
                 {draws.key[0], draws.key[1]});
  };
  const auto word = [&](size_t i, size_t steps) {  // the one of element i's lane after so many others
    Xoshiro lane(block(i / 1024 * 16 + i % 16));
    while (steps-- > 0) lane.Next();
    return lane.Next();
  };
  const auto f32 = Words<float>(draws, 5000);
  const auto f64 = Words<double>(draws, 5000);
  for (const size_t i : {0, 1, 15, 16, 31, 32, 127, 128, 1023, 1024, 1025, 2047, 4999}) {
    const uint32_t lower = block(i / 4 + (1u << 31))[i % 4];
    EXPECT_EQ(f32[i], (word(i, i % 1024 / 32) >> 16 * (i % 32 / 16) & 0xffff) << 16 | (lower & 0xffff)) << i;
    EXPECT_EQ(f64[i], uint64_t{word(i, i % 1024 / 16)} << 32 | lower) << i;
  }
}

TEST(Draws, OfTwoSitesAreOthers) {
  std::set<uint32_t> seen;
  for (uint64_t step = 0; step < 8; ++step)
    for (const uint32_t w : Words<float>(DrawsOf(SiteOf(Piece::Whole(1024), step)), 1024)) seen.insert(w);
  EXPECT_GE(seen.size(), 8u * 1024 - 2) << "8,192 words of 32 bits: 0.008 chance collisions are expected";
}

/// A toss is one comparison with the whole draw, also where the upper halves are equal.
template <typename T>
void ExpectTossesAreComparisons() {
  using Word = typename Draw<T>::Word;
  const Draws draws = DrawsOf(SiteOf(Piece::Whole(1024)));
  const std::vector<Word> words = Words<T>(draws, 1024);
  std::vector<Word> thresholds(1024);
  for (size_t i = 0; i < 1024; ++i) {
    const Word word = i % 5 == 0 ? static_cast<Word>(~words[i]) : words[i];
    const std::array<Word, 6> near = {word, word - 1, word + 1, 0, ~Word{0}, word ^ Word{1} << (Draw<T>::kBits - 1)};
    thresholds[i] = near[i % 6];
  }
  std::vector<uint16_t> happens(1024);
  const auto counts_down = [](size_t i) { return i % 5 == 0; };
  kernels::scalar::TossBlock<T>(draws, 0, 1024, thresholds.data(), counts_down, happens.data());
  for (size_t i = 0; i < 1024; ++i)
    EXPECT_EQ(happens[i], (counts_down(i) ? static_cast<Word>(~words[i]) : words[i]) < thresholds[i]) << i;
}

TEST(Toss, ComparesTheWholeDraw) {
  ExpectTossesAreComparisons<float>();
  ExpectTossesAreComparisons<double>();
}

TEST(Draws, AreUniform) {  // each of their bits is set in half of the draws
  constexpr size_t kDraws = 1 << 16;
  for (const auto& words : {Words<float>(DrawsOf(SiteOf(Piece::Whole(kDraws))), kDraws)})
    for (int bit = 0; bit < 32; ++bit) {
      double ones = 0;
      for (const uint32_t w : words) ones += w >> bit & 1;
      EXPECT_NEAR(ones, kDraws / 2.0, 5 * std::sqrt(kDraws / 4.0)) << bit;
    }
}

}  // namespace
}  // namespace gradwire
