// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace gradwire {

/// How k different positions below d travel: Elias-Fano (Elias, "Efficient storage and retrieval by content and address
/// of static files", J. ACM 1974). Its size follows from (k, d) alone, so that receivers know it beforehand.
///
/// Position j, ascending, is coded as its rest, position - j: rests never fall, and lie in 0 .. d-k. The low bits of
/// all rests stand side by side; behind them is a string with bit (rest >> low bits) + j set for each j. That string is
/// left out where all of a rest's bits are low ones. src/wire/FORMAT.md is normative.
///
/// A position costs about half a bit more than its share of log2 C(d, k): 1.06 of it in all at k/d = 0.1 % and 1 %,
/// 1.09 at 10 %.
struct PositionCode {
  /// k <= d.
  PositionCode(size_t k, size_t d);

  size_t k, d;
  unsigned low_bits = 0;  ///< of a rest
  size_t upper_bits = 0;  ///< length of the string
  size_t bits() const { return k * low_bits + upper_bits; }
  size_t bytes() const { return (bits() + 7) / 8; }
};

/// Writes a code, position by position.
class PositionWriter {
 public:
  /// `out`: code.bytes() of them.
  PositionWriter(const PositionCode& code, std::span<std::byte> out) : code_(code), out_(out) {
    std::ranges::fill(out, std::byte{0});
  }

  /// Called k times, in ascending order.
  void Put(size_t position) {
    const size_t rest = position - taken_;
    if (code_.upper_bits > 0) {
      const size_t bit = code_.k * code_.low_bits + (rest >> code_.low_bits) + taken_;
      out_[bit / 8] |= std::byte{1} << bit % 8;
    }
    held_ |= (rest & ((uint64_t{1} << code_.low_bits) - 1)) << used_;
    for (used_ += code_.low_bits; used_ >= 8; used_ -= 8, held_ >>= 8) out_[next_++] = static_cast<std::byte>(held_);
    if (++taken_ == code_.k && used_ > 0) out_[next_] |= static_cast<std::byte>(held_);  // shared with the string
  }

 private:
  const PositionCode code_;
  const std::span<std::byte> out_;
  size_t taken_ = 0, next_ = 0;
  uint64_t held_ = 0;  // low bits that fill no byte yet
  unsigned used_ = 0;
};

/// Bits of a code that nobody could have written. Throw PayloadError.
[[noreturn]] void RefusePosition(const PositionCode& code, size_t j, size_t position, size_t least);
[[noreturn]] void RefuseCount(const PositionCode& code);
void RefuseUnusedBits(const PositionCode& code, std::span<const std::byte> bytes);

/// At least 57 bits from `bit` on; zeros behind the end.
inline uint64_t LoadBits(std::span<const std::byte> bytes, size_t bit) {
  uint64_t word = 0;
  const size_t at = bit / 8;
  if (at + sizeof(word) <= bytes.size())
    std::memcpy(&word, bytes.data() + at, sizeof(word));
  else if (at < bytes.size())
    std::memcpy(&word, bytes.data() + at, bytes.size() - at);
  return word >> bit % 8;
}

/// Calls take(j, position) for the k positions, which ascend strictly and are below d. `bytes`: code.bytes() of them,
/// from a peer: throws PayloadError where they are no code, perhaps after some calls.
template <typename Take>
void ForPositions(const PositionCode& code, std::span<const std::byte> bytes, Take&& take) {
  constexpr size_t kStep = 56;  // bits that one load surely has
  const size_t string = code.k * code.low_bits;
  const uint64_t low_mask = (uint64_t{1} << code.low_bits) - 1;
  size_t j = 0, least = 0;
  const auto next = [&](size_t upper) {
    const size_t rest = upper << code.low_bits | (LoadBits(bytes, j * code.low_bits) & low_mask);
    if (rest < least || rest > code.d - code.k) RefusePosition(code, j, rest + j, least + j);
    least = rest;
    take(j, rest + j);
    ++j;
  };
  if (code.upper_bits == 0)
    while (j < code.k) next(0);
  for (size_t at = 0; at < code.upper_bits; at += kStep) {
    const size_t bits = std::min(kStep, code.upper_bits - at);
    uint64_t word = LoadBits(bytes, string + at) & ((uint64_t{1} << bits) - 1);
    for (; word != 0; word &= word - 1) {
      if (j == code.k) RefuseCount(code);
      next(at + static_cast<size_t>(std::countr_zero(word)) - j);
    }
  }
  if (j != code.k) RefuseCount(code);
  RefuseUnusedBits(code, bytes);
}

}  // namespace gradwire
