// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>

#include "kernels/codes.h"
#include "kernels/kernels.h"
#include "kernels/scalar/add.h"
#include "kernels/scalar/draw.h"

namespace gradwire::kernels::scalar {

/// Codes are sign and exponent bits.
template <typename T>
constexpr CodeSpace NaturalSpace() {
  return CodeSpace(1u << (8 * sizeof(T) - Bits<T>::kMantissa));
}

/// The number whose sign and exponent bits are the code's.
template <typename T>
T PowerValue(uint16_t code) {
  using Word = typename Bits<T>::Word;
  return std::bit_cast<T>(static_cast<Word>(static_cast<Word>(code) << Bits<T>::kMantissa));
}

/// u rounded to powers of two, of up to a block from `first` on; u -= what was taken.
template <typename T>
void RoundToPowers(const Draws& draws, size_t first, std::span<T> u, uint16_t* codes) {
  using Word = typename Bits<T>::Word;
  constexpr int kMantissa = Bits<T>::kMantissa, kSpare = 8 * sizeof(T) - kMantissa;
  constexpr auto kLargest = static_cast<uint32_t>((Bits<T>::kInfinity >> kMantissa) - 1);
  constexpr uint32_t kNegative = kLargest + 2;
  Word threshold[kDrawBlock];
  uint16_t up[kDrawBlock];
  for (size_t i = 0; i < u.size(); ++i) threshold[i] = static_cast<Word>(std::bit_cast<Word>(u[i]) << kSpare);
  TossBlock<T>(
      draws, first, u.size(), threshold, [](size_t) { return true; }, up);
  for (size_t i = 0; i < u.size(); ++i) {
    const uint32_t raised = static_cast<uint32_t>(MagnitudeBits(u[i]) >> kMantissa) + up[i];
    const uint32_t exponent = raised < kLargest ? raised : kLargest;
    const auto sign = static_cast<uint32_t>(std::bit_cast<Word>(u[i]) >> (8 * sizeof(T) - 1));
    const auto code = static_cast<uint16_t>((exponent | sign * kNegative) & (0 - uint32_t{exponent != 0}));
    codes[i] = code;
    u[i] -= PowerValue<T>(code);
  }
}

template <typename T>
void NaturalBlock(const Draws& draws, size_t n, size_t first, std::span<T> u, std::byte* payload) {
  uint16_t codes[kBlock];
  RoundToPowers<T>(draws, first, u, codes);
  NaturalSpace<T>().Pack(n, first, {codes, u.size()}, payload);
}

template <typename T>
bool EncodeNatural(const Source<T>& source, const Draws& draws, std::byte* payload) {
  return ForBlocksOf<T>(source,
                        [&](size_t first, std::span<T> u) { NaturalBlock(draws, source.n, first, u, payload); });
}

/// As SumNatural, of the block `part` from `first` on of n elements.
template <typename T>
size_t SumNaturalBlock(std::span<const Coded<T>> all, Into into, size_t n, size_t first, std::span<T> part) {
  constexpr auto kExponent = static_cast<uint16_t>(Bits<T>::kInfinity >> Bits<T>::kMantissa);
  if (into != Into::kAdd) std::fill(part.begin(), part.end(), T{0});
  for (size_t r = 0; r < all.size(); ++r) {
    uint16_t codes[kBlock], any = 0;
    NaturalSpace<T>().Unpack(n, first, all[r].bytes, {codes, part.size()});
    for (size_t i = 0; i < part.size(); ++i) any |= static_cast<uint16_t>((codes[i] & kExponent) == kExponent);
    if (any != 0) return r;
    for (size_t i = 0; i < part.size(); ++i) part[i] += all[r].weight * PowerValue<T>(codes[i]);
  }
  return all.size();
}

template <typename T>
size_t SumNatural(std::span<const Coded<T>> all, Into into, std::span<T> out) {
  size_t wrong = all.size();
  ForBlocks(out.size(), [&](size_t first, size_t n) {
    wrong = std::min(wrong, SumNaturalBlock(all, into, out.size(), first, out.subspan(first, n)));
  });
  return wrong;
}

}  // namespace gradwire::kernels::scalar
