// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace gradwire {

// Elias' omega code of whole numbers from 1 (Elias, "Universal codeword sets", 1975): 1 is the bit 0; a larger n is the
// code of its length in bits less one without the 0, then n itself, then 0. Bits fill bytes from the highest one down.

/// Bits of n's code; n >= 1.
constexpr size_t OmegaBits(uint32_t n) {
  size_t bits = 1;
  for (; n > 1; n = static_cast<uint32_t>(std::bit_width(n)) - 1) bits += static_cast<size_t>(std::bit_width(n));
  return bits;
}

/// Writes bits into bytes, which must hold them.
class BitWriter {
 public:
  explicit BitWriter(std::span<std::byte> out) : out_(out) {}

  void Put(bool bit) {
    if (used_ % 8 == 0) out_[used_ / 8] = std::byte{0};
    if (bit) out_[used_ / 8] |= std::byte{0x80} >> (used_ % 8);
    ++used_;
  }
  void PutOmega(uint32_t n) {
    PutGroups(n);
    Put(false);
  }
  /// Ones up to the end of the byte, which begin a code and end none. Returns the bytes.
  size_t Finish() {
    while (used_ % 8 != 0) Put(true);
    return used_ / 8;
  }

 private:
  void PutGroups(uint32_t n) {
    if (n <= 1) return;
    const int width = std::bit_width(n);
    PutGroups(static_cast<uint32_t>(width) - 1);
    for (int bit = width; bit-- > 0;) Put((n >> bit & 1) != 0);
  }

  std::span<std::byte> out_;
  size_t used_ = 0;
};

/// Reads them. What ends within a code is told by empty results.
class BitReader {
 public:
  explicit BitReader(std::span<const std::byte> in) : in_(in) {}

  size_t at() const { return at_; }  ///< bits that were read
  std::optional<bool> Bit() {
    if (at_ >= 8 * in_.size()) return std::nullopt;
    const bool bit = (in_[at_ / 8] >> (7 - at_ % 8) & std::byte{1}) != std::byte{0};
    ++at_;
    return bit;
  }
  /// Empty as well for numbers of more than 32 bits.
  std::optional<uint32_t> Omega() {
    for (uint64_t n = 1;;) {
      const auto goes_on = Bit();
      if (!goes_on) return std::nullopt;
      if (!*goes_on) return static_cast<uint32_t>(n);
      if (n > 31) return std::nullopt;
      uint64_t next = 1;
      for (uint64_t i = 0; i < n; ++i) {
        const auto bit = Bit();
        if (!bit) return std::nullopt;
        next = next << 1 | (*bit ? 1 : 0);
      }
      n = next;
    }
  }
  /// Whether what is left is what Finish writes.
  bool IsAtEnd() const {
    BitReader rest = *this;
    size_t left = 0;
    for (auto bit = rest.Bit(); bit; bit = rest.Bit(), ++left)
      if (!*bit || left >= 7) return false;
    return true;
  }

 private:
  std::span<const std::byte> in_;
  size_t at_ = 0;
};

}  // namespace gradwire
