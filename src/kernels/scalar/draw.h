// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/draws.h"
#include "kernels/bits.h"

namespace gradwire::kernels::scalar {

/// Elements that a kernel with draws takes at once; it begins at a multiple of them.
inline constexpr size_t kDrawBlock = 1024;

/// A draw is a Word of uniform bits in two halves of kBits each. Half-words come from 16 blocks of Philox side by side,
/// so that vectors of any width up to 16 lanes find them in place: no shuffles.
template <typename T>
struct Draw {
  using Word = typename Bits<T>::Word;
  static constexpr int kBits = 4 * sizeof(T);
  static constexpr size_t kLanes = 16;
  static constexpr size_t kPerLane = 4 * 32 / kBits;     ///< half-words of a block
  static constexpr size_t kGroup = kLanes * kPerLane;    ///< elements that 16 blocks serve
  static constexpr uint32_t kLower = uint32_t{1} << 31;  ///< added to the block's number: lower halves
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

/// The halves of the elements of one group; `first_block` is 16 times its number, or that and kLower.
template <typename T>
void DrawGroup(const Draws& draws, uint32_t first_block, uint32_t* halves) {
  constexpr size_t kLanes = Draw<T>::kLanes;
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    const Counter c = DrawnBlock(draws, first_block + lane);
    const auto put = [&](size_t w, uint32_t word) {
      if constexpr (Draw<T>::kBits == 16) {
        halves[2 * kLanes * w + lane] = word & 0xffff;
        halves[2 * kLanes * w + kLanes + lane] = word >> 16;
      } else {
        halves[kLanes * w + lane] = word;
      }
    };
    put(0, c.c0), put(1, c.c1), put(2, c.c2), put(3, c.c3);
  }
}

/// Halves of elements first .. first + n - 1, n up to kDrawBlock; `halves` has room for all of the block.
template <typename T>
void DrawHalves(const Draws& draws, size_t first, size_t n, uint32_t part, uint32_t* halves) {
  const auto block = static_cast<uint32_t>(first / Draw<T>::kPerLane) + part;
  for (size_t i = 0; i < n; i += Draw<T>::kGroup)
    DrawGroup<T>(draws, block + static_cast<uint32_t>(i / Draw<T>::kPerLane), halves + i);
}

/// happens[i]: whether the draw of element first + i is below threshold[i]. The upper half nearly always decides; lower
/// ones are drawn for the block in which some element needs one.
template <typename T>
void TossBlock(const Draws& draws, size_t first, size_t n, const typename Bits<T>::Word* threshold, uint16_t* happens) {
  constexpr int kBits = Draw<T>::kBits;
  uint32_t upper[kDrawBlock];
  DrawHalves<T>(draws, first, n, 0, upper);
  uint32_t ties = 0;
  for (size_t i = 0; i < n; ++i) {
    const auto decides = static_cast<uint32_t>(threshold[i] >> kBits);
    happens[i] = upper[i] < decides;
    ties |= static_cast<uint32_t>(upper[i] == decides);
  }
  if (!ties) return;
  uint32_t lower[kDrawBlock];
  DrawHalves<T>(draws, first, n, Draw<T>::kLower, lower);
  for (size_t i = 0; i < n; ++i)
    if (upper[i] == threshold[i] >> kBits)
      happens[i] = lower[i] < (threshold[i] & ((typename Bits<T>::Word{1} << kBits) - 1));
}

/// The draws of a block in full.
template <typename T>
void DrawWords(const Draws& draws, size_t first, std::span<typename Bits<T>::Word> words) {
  uint32_t upper[kDrawBlock], lower[kDrawBlock];
  DrawHalves<T>(draws, first, words.size(), 0, upper);
  DrawHalves<T>(draws, first, words.size(), Draw<T>::kLower, lower);
  for (size_t i = 0; i < words.size(); ++i)
    words[i] = static_cast<typename Bits<T>::Word>(upper[i]) << Draw<T>::kBits | lower[i];
}

}  // namespace gradwire::kernels::scalar
