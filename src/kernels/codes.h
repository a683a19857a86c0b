// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/scalar/codes.h"
#include "kernels/source.h"

namespace gradwire::kernels {

/// Packed codes of n elements: `symbols` different ones, 2 to 65,536 (FORMAT.md, "Packed codes"). Blocks of 1,024 can
/// be taken in any order: three symbols lie in base 3, five to a byte; others take bit_width(symbols - 1) bits each,
/// cut into fields of 8, 4, 2 and 1 bits, those of one kind side by side for all elements.
class CodeSpace {
 public:
  explicit constexpr CodeSpace(uint32_t symbols)
      : symbols(symbols), width_(static_cast<unsigned>(std::bit_width(symbols - 1))) {}

  constexpr size_t bytes(size_t n) const {
    if (ternary()) return n / kBlock * TernaryBytes(kBlock) + TernaryBytes(n % kBlock);
    size_t sum = 0;
    ForFields([&](unsigned width, unsigned) { sum += scalar::FieldBytes(n, width); });
    return sum;
  }

  /// Codes of the elements from `first` on, a multiple of kBlock: of a block or what is left. `out`: bytes(n) of them.
  void Pack(size_t n, size_t first, std::span<const uint16_t> codes, std::byte* out) const {
    if (ternary()) return scalar::PackTernary(codes.data(), codes.size(), out + first / kBlock * TernaryBytes(kBlock));
    ForFields([&](unsigned width, unsigned shift) {
      scalar::PackBits(codes.data(), codes.size(), width, shift, out + scalar::FieldBytes(first, width));
      out += scalar::FieldBytes(n, width);
    });
  }

  /// Reads what Pack wrote. Bytes from a peer may hold numbers that are no codes: they come out as `symbols` or more.
  void Unpack(size_t n, size_t first, const std::byte* in, std::span<uint16_t> codes) const {
    if (ternary()) return scalar::UnpackTernary(in + first / kBlock * TernaryBytes(kBlock), codes.size(), codes.data());
    ForFields([&](unsigned width, unsigned shift) {
      scalar::UnpackBits(in + scalar::FieldBytes(first, width), codes.size(), width, shift, codes.data());
      in += scalar::FieldBytes(n, width);
    });
  }

  /// Bits of a code; 0 where they are in base 3.
  constexpr unsigned width() const { return ternary() ? 0 : width_; }

  const uint32_t symbols;

 private:
  static constexpr size_t TernaryBytes(size_t n) { return (n + 4) / 5; }
  constexpr bool ternary() const { return symbols == 3; }

  /// Calls take(width, first bit of the code) for the fields in their order.
  template <typename Take>
  constexpr void ForFields(Take&& take) const {
    for (unsigned shift = 0; shift < width_;) {
      const unsigned width = std::min(std::bit_floor(width_ - shift), 8u);
      take(width, shift);
      shift += width;
    }
  }

  unsigned width_;
};

/// Blocks of n elements.
constexpr size_t BlocksOf(size_t n) { return (n + kBlock - 1) / kBlock; }

/// Calls take(first, elements of the block) for the blocks of n elements.
template <typename Take>
void ForBlocks(size_t n, Take&& take) {
  for (size_t first = 0; first < n; first += kBlock) take(first, std::min(kBlock, n - first));
}

}  // namespace gradwire::kernels
