// SPDX-License-Identifier: Apache-2.0
#pragma once

// The random bits of src/wire/FORMAT.md, written from the document alone.

#include <array>
#include <cstdint>

namespace gradwire::format {

/// What names the random bits of a payload.
struct Site {
  uint64_t seed = 0;
  uint32_t worker = 0;
  uint64_t step = 0;
  uint32_t parameter = 0, piece = 0, part = 0;
};

using Words = std::array<uint32_t, 4>;

/// Philox4x32 with 10 rounds, or fewer.
inline Words Philox(Words counter, uint32_t key0, uint32_t key1, int rounds = 10) {
  for (int round = 0; round < rounds; ++round, key0 += 0x9E3779B9, key1 += 0xBB67AE85) {
    const uint64_t p0 = uint64_t{0xD2511F53} * counter[0], p1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(p1),
               static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(p0)};
  }
  return counter;
}

/// The stream of a site, or one of a step.
class Coins {
 public:
  Coins(uint64_t seed, uint32_t stream, uint64_t step)
      : key0_(static_cast<uint32_t>(seed) ^ stream * kCompress),
        key1_(static_cast<uint32_t>(seed >> 32)),
        counter_{0, 0, static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32)} {}
  explicit Coins(const Site& site) {
    const uint32_t low = static_cast<uint32_t>(site.seed), high = static_cast<uint32_t>(site.seed >> 32);
    const Words names = Philox({0, site.worker, site.parameter, site.piece}, low ^ kCompress, high ^ site.part * kMix);
    key0_ = names[0] ^ kCompress, key1_ = names[1];
    counter_ = {0, names[2], static_cast<uint32_t>(site.step), static_cast<uint32_t>(site.step >> 32) ^ names[3]};
  }

  uint32_t Next() {
    if (used_ == 4) block_ = Philox(counter_, key0_, key1_), ++counter_[0], used_ = 0;
    return block_[used_++];
  }

  /// Uniform in 0 .. bound - 1.
  uint32_t Below(uint32_t bound) {
    const uint64_t all = uint64_t{1} << 32, refused = all % bound;
    for (;;)
      if (const uint64_t product = uint64_t{Next()} * bound; product % all >= refused) return product >> 32;
  }

  /// The draw of element i of the piece, for elements of 4 or 8 bytes.
  uint64_t Draw(size_t i, size_t element) const {
    Words s = Block(static_cast<uint32_t>(i / 1024 * 16 + i % 16));
    uint32_t word = 0;
    for (size_t t = 0; t <= i % 1024 / (element == 4 ? 32 : 16); ++t) {
      word = Rotated(s[0] + s[3], 7) + s[0];
      const uint32_t shifted = s[1] << 9;
      s[2] ^= s[0], s[3] ^= s[1], s[1] ^= s[2], s[0] ^= s[3], s[2] ^= shifted, s[3] = Rotated(s[3], 11);
    }
    const uint32_t lower = Block(0x80000000 + static_cast<uint32_t>(i / 4))[i % 4];
    if (element == 8) return uint64_t{word} << 32 | lower;
    return uint64_t{i % 32 < 16 ? word & 0xffff : word >> 16} << 16 | (lower & 0xffff);
  }
  /// Its complement.
  uint64_t Down(size_t i, size_t element) const {
    return (element == 4 ? 0xffffffff : ~uint64_t{0}) - Draw(i, element);
  }

  double Uniform() {
    const uint32_t first = Next() >> 5, second = Next() >> 6;
    return (first * 67108864.0 + second) / 9007199254740992.0;
  }

 private:
  static uint32_t Rotated(uint32_t x, int bits) { return x << bits | x >> (32 - bits); }
  Words Block(uint32_t number) const {
    Words counter = counter_;
    counter[0] = number;
    return Philox(counter, key0_, key1_, 7);
  }

  static constexpr uint32_t kCompress = 0x9E3779B9, kMix = 0x85EBCA6B;
  uint32_t key0_, key1_;
  Words counter_, block_;
  int used_ = 4;
};

}  // namespace gradwire::format
