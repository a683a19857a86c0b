// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/kernels.h"

namespace gradwire::kernels {

/// Packed codes of n elements: `symbols` different ones, 2 to 65,536 (FORMAT.md, "Packed codes"). Blocks of 1,024 are
/// packed by themselves, so that they can be taken in any order: three symbols lie in base 3, five to a byte; others
/// take bit_width(symbols - 1) bits each, of more than eight the lower eight first, for all elements. T is the type
/// whose table of kernels is asked; codes are the same.
class CodeSpace {
 public:
  static constexpr size_t kBlock = 1024;

  explicit constexpr CodeSpace(uint32_t symbols)
      : symbols(symbols), width_(static_cast<unsigned>(std::bit_width(symbols - 1))) {}

  constexpr size_t bytes(size_t n) const {
    return ternary() ? n / kBlock * TernaryBytes(kBlock) + TernaryBytes(n % kBlock) : (n * width_ + 7) / 8;
  }

  /// Codes of the elements from `first` on, a multiple of kBlock: of a block or what is left. `out`: bytes(n) of them.
  template <typename T = float>
  void Pack(size_t n, size_t first, std::span<const uint16_t> codes, std::byte* out) const {
    if (ternary()) return PackTernary<T>(codes.data(), codes.size(), out + first / kBlock * TernaryBytes(kBlock));
    PackBits<T>(codes.data(), codes.size(), lower(), 0, out + first / 8 * lower());
    if (upper()) PackBits<T>(codes.data(), codes.size(), upper(), 8, out + n + first / 8 * upper());
  }

  /// Reads what Pack wrote. Bytes from a peer may hold numbers that are no codes: they come out as `symbols` or more.
  template <typename T = float>
  void Unpack(size_t n, size_t first, const std::byte* in, std::span<uint16_t> codes) const {
    if (ternary()) return UnpackTernary<T>(in + first / kBlock * TernaryBytes(kBlock), codes.size(), codes.data());
    UnpackBits<T>(in + first / 8 * lower(), codes.size(), lower(), 0, codes.data());
    if (upper()) UnpackBits<T>(in + n + first / 8 * upper(), codes.size(), upper(), 8, codes.data());
  }

  const uint32_t symbols;

 private:
  static constexpr size_t TernaryBytes(size_t n) { return (n + 4) / 5; }
  constexpr bool ternary() const { return symbols == 3; }
  constexpr unsigned lower() const { return std::min(width_, 8u); }
  constexpr unsigned upper() const { return width_ - lower(); }

  unsigned width_;
};

/// Calls take(first, elements of the block) for the blocks of n elements.
template <typename Take>
void ForBlocks(size_t n, Take&& take) {
  for (size_t first = 0; first < n; first += CodeSpace::kBlock) take(first, std::min(CodeSpace::kBlock, n - first));
}

}  // namespace gradwire::kernels
