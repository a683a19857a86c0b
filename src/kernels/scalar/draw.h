// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/draws.h"
#include "kernels/bits.h"

namespace gradwire::kernels::scalar {

/// Elements that a kernel with draws takes at once; it begins at a multiple of them.
inline constexpr size_t kDrawBlock = 1024;

/// A draw is a Word of uniform bits in two halves of kBits each. Upper halves come from 16 generators side by side, so
/// that vectors of any width up to 16 lanes find them in place: no shuffles.
template <typename T>
struct Draw {
  using Word = typename Bits<T>::Word;
  static constexpr int kBits = 4 * sizeof(T);
  static constexpr uint32_t kMask = static_cast<uint32_t>((uint64_t{1} << kBits) - 1);
  static constexpr size_t kLanes = 16;
  static constexpr size_t kGroup = kLanes * 32 / kBits;  ///< elements that one word of each lane serves
};

struct Counter {
  uint32_t c0, c1, c2, c3;
};

/// One round of Philox4x32 (Salmon et al. 2011).
inline Counter Round(Counter c, uint32_t k0, uint32_t k1) {
  const uint64_t p0 = uint64_t{0xD2511F53} * c.c0, p1 = uint64_t{0xCD9E8D57} * c.c2;
  return {static_cast<uint32_t>(p1 >> 32) ^ c.c1 ^ k0, static_cast<uint32_t>(p1),
          static_cast<uint32_t>(p0 >> 32) ^ c.c3 ^ k1, static_cast<uint32_t>(p0)};
}

/// Seven rounds: the fewest that pass BigCrush (ibid., table 2). Without a loop, so that it becomes vector code.
inline Counter DrawnBlock(const Draws& draws, uint32_t block) {
  constexpr uint32_t kStep0 = 0x9E3779B9, kStep1 = 0xBB67AE85;
  Counter c = {block, draws.counter[0], draws.counter[1], draws.counter[2]};
  const auto round = [&](uint32_t i) { c = Round(c, draws.key[0] + i * kStep0, draws.key[1] + i * kStep1); };
  round(0), round(1), round(2), round(3), round(4), round(5), round(6);
  return c;
}

/// Sixteen generators xoshiro128++ (Blackman and Vigna 2021), which passes BigCrush, each begun by a block of Philox: a
/// step costs a third of Philox's, and a block of elements needs but 16 beginnings.
class DrawLanes {
 public:
  static constexpr size_t kLanes = Draw<float>::kLanes;

  /// Of the block of kDrawBlock elements that begins at `first`.
  DrawLanes(const Draws& draws, size_t first) {
    const auto number = static_cast<uint32_t>(first / kDrawBlock * kLanes);
    for (uint32_t lane = 0; lane < kLanes; ++lane) {
      const Counter c = DrawnBlock(draws, number + lane);
      s0_[lane] = c.c0, s1_[lane] = c.c1, s2_[lane] = c.c2, s3_[lane] = c.c3;
    }
  }

  /// The lanes' next words.
  void Next(uint32_t* words) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const uint32_t s0 = s0_[lane], s1 = s1_[lane], s2 = s2_[lane] ^ s0, s3 = s3_[lane] ^ s1;
      words[lane] = std::rotl(s0 + s3_[lane], 7) + s0;
      s0_[lane] = s0 ^ s3, s1_[lane] = s1 ^ s2, s2_[lane] = s2 ^ s1 << 9, s3_[lane] = std::rotl(s3, 11);
    }
  }

 private:
  uint32_t s0_[kLanes], s1_[kLanes], s2_[kLanes], s3_[kLanes];
};

/// Upper halves of elements first .. first + n - 1; `first` is a multiple of kDrawBlock, n at most that; `halves` has
/// room for all of the block.
template <typename T>
void DrawHalves(const Draws& draws, size_t first, size_t n, uint32_t* halves) {
  constexpr size_t kLanes = Draw<T>::kLanes;
  DrawLanes lanes(draws, first);
  for (size_t i = 0; i < n; i += Draw<T>::kGroup) {
    uint32_t words[kLanes];
    lanes.Next(words);
    for (size_t lane = 0; lane < kLanes; ++lane) halves[i + lane] = words[lane] & Draw<T>::kMask;
    if constexpr (Draw<T>::kGroup > kLanes)
      for (size_t lane = 0; lane < kLanes; ++lane) halves[i + kLanes + lane] = words[lane] >> 16;
  }
}

/// Numbers of the blocks of Philox that lower halves come from, above those that lanes begin with.
inline constexpr uint32_t kLowerBlocks = uint32_t{1} << 31;

/// The lower half of element i's draw.
template <typename T>
uint32_t LowerHalf(const Draws& draws, size_t i) {
  const Counter c = DrawnBlock(draws, kLowerBlocks + static_cast<uint32_t>(i / 4));
  const uint32_t words[] = {c.c0, c.c1, c.c2, c.c3};
  return words[i % 4] & Draw<T>::kMask;
}

/// Whether element i's draw, whose upper half is known, is below a threshold; where it `counts_down`, whether its
/// complement is: the upper half nearly always decides.
template <typename T>
bool IsBelow(const Draws& draws, size_t i, uint32_t upper, bool counts_down, typename Bits<T>::Word threshold) {
  const uint32_t turn = counts_down ? Draw<T>::kMask : 0;
  const auto decides = static_cast<uint32_t>(threshold >> Draw<T>::kBits);
  if ((upper ^ turn) != decides) return (upper ^ turn) < decides;
  return (LowerHalf<T>(draws, i) ^ turn) < (threshold & Draw<T>::kMask);
}

/// happens[i]: IsBelow of element first + i. counts_down(i): its.
template <typename T, typename CountsDown>
void TossBlock(const Draws& draws, size_t first, size_t n, const typename Bits<T>::Word* threshold,
               CountsDown&& counts_down, uint16_t* happens) {
  uint32_t upper[kDrawBlock];
  DrawHalves<T>(draws, first, n, upper);
  uint32_t ties = 0;
  for (size_t i = 0; i < n; ++i) {
    const uint32_t half = upper[i] ^ (counts_down(i) ? Draw<T>::kMask : 0);
    const auto decides = static_cast<uint32_t>(threshold[i] >> Draw<T>::kBits);
    happens[i] = half < decides;
    ties |= static_cast<uint32_t>(half == decides);
  }
  if (!ties) return;
  for (size_t i = 0; i < n; ++i) happens[i] = IsBelow<T>(draws, first + i, upper[i], counts_down(i), threshold[i]);
}

/// The draws of a block in full.
template <typename T>
void DrawWords(const Draws& draws, size_t first, std::span<typename Bits<T>::Word> words) {
  uint32_t upper[kDrawBlock];
  DrawHalves<T>(draws, first, words.size(), upper);
  for (size_t i = 0; i < words.size(); ++i)
    words[i] = static_cast<typename Bits<T>::Word>(upper[i]) << Draw<T>::kBits | LowerHalf<T>(draws, first + i);
}

}  // namespace gradwire::kernels::scalar
