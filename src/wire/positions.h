// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
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
  /// k <= d. Throws Error where d is above 2^31: positions are held as 32 bits.
  PositionCode(size_t k, size_t d);

  size_t k, d;
  unsigned low_bits = 0;  ///< of a rest
  size_t upper_bits = 0;  ///< length of the string
  size_t bits() const { return k * low_bits + upper_bits; }
  size_t bytes() const { return (bits() + 7) / 8; }
};

/// `positions`: code.k of them, strictly ascending. `out`: code.bytes() of them, all written.
void WritePositions(const PositionCode& code, std::span<const uint32_t> positions, std::span<std::byte> out);

/// Elements that ReadPositions may write behind the last position: it takes several at once.
inline constexpr size_t kPositionSlack = 8;

/// Reads code.k positions, which ascend strictly and are below d, to the begin of `positions`: code.k + kPositionSlack
/// elements. `bytes`: code.bytes() of them, from a peer: throws PayloadError where they are no code; `positions` is
/// then undefined. T is the type whose table of kernels is asked; positions are the same.
template <typename T = float>
void ReadPositions(const PositionCode& code, std::span<const std::byte> bytes, std::span<uint32_t> positions);

}  // namespace gradwire
