// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace gradwire {

/// How papers count the bits of a message: a row of what their authors count. Frames, padding and codes are ours, and
/// never part of it. Compressor::PaperBits puts an operator's payload together from the counts below.
struct BitRule {
  std::string_view name;
  std::string_view summary;      ///< what is counted, and who counts so
  unsigned width = 32;           ///< bits of a number: an element, a norm, a scale
  bool counts_positions = true;  ///< positions that travel, and how many elements were kept where that varies
  bool counts_zero = true;       ///< 0 beside s levels: ceil(log2(s + 1)) bits and a sign; else ceil(log2 s) and a sign
  bool counts_zeros = true;      ///< elements that were rounded to 0

  uint64_t Numbers(uint64_t n) const { return n * width; }
  /// k positions among d elements: ceil(log2 d) bits each.
  uint64_t Positions(uint64_t k, uint64_t d) const;
  /// A number from 0 to d: ceil(log2(d + 1)) bits.
  uint64_t Count(uint64_t d) const;
  /// n elements, `nonzero` of them not 0, as a sign and one of s levels or 0.
  uint64_t Levels(uint64_t n, uint64_t nonzero, uint64_t s) const;
  /// n elements' signs and exponents: 9 bits each of 32, 12 of 64.
  uint64_t Exponents(uint64_t n) const { return n * (width == 64 ? 12 : 9); }
};

/// Every rule there is.
const std::vector<BitRule>& BitRules();
/// Null where there is none of that name.
const BitRule* FindBitRule(std::string_view name);

}  // namespace gradwire
