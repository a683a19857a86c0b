// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

#include "kernels/kernels.h"
#include "kernels/scalar/add.h"
#include "kernels/scalar/norm.h"

namespace gradwire::kernels::scalar {

template <typename T>
T MeanMagnitude(std::span<const T> u) {
  const T sum = Sum<T>(u.size(), [&](size_t i) { return std::abs(u[i]); });
  const T mean = sum / static_cast<T>(u.size());
  return std::min(mean, std::numeric_limits<T>::max());  // the sum may overflow; the residual must stay finite
}

template <typename T>
void PackSigns(std::span<const T> u, uint8_t* bits) {
  const size_t whole = u.size() / 8;
  for (size_t b = 0; b < whole; ++b) {
    unsigned byte = 0;
    for (unsigned j = 0; j < 8; ++j) byte |= static_cast<unsigned>(u[8 * b + j] < 0) << j;
    bits[b] = static_cast<uint8_t>(byte);
  }
  if (u.size() % 8) {
    unsigned byte = 0;
    for (unsigned j = 0; j < u.size() % 8; ++j) byte |= static_cast<unsigned>(u[8 * whole + j] < 0) << j;
    bits[whole] = static_cast<uint8_t>(byte);
  }
}

template <typename T>
void SubtractSigns(std::span<T> u, T scale) {
  for (T& x : u) x -= x < 0 ? -scale : scale;
}

/// By byte: the sign bits of its eight elements, each in its element's word.
template <typename Word>
inline constexpr auto kSignMasks = [] {
  std::array<std::array<Word, 8>, 256> masks{};
  for (size_t byte = 0; byte < 256; ++byte)
    for (size_t j = 0; j < 8; ++j) masks[byte][j] = static_cast<Word>(byte >> j & 1) << (8 * sizeof(Word) - 1);
  return masks;
}();

/// out += value, or -value by bit. `out` begins at a whole byte.
template <typename T>
void AddSigns(const uint8_t* bits, T value, std::span<T> out) {
  using Word = typename Bits<T>::Word;
  const Word plus = std::bit_cast<Word>(value);
  const size_t whole = out.size() / 8;
  for (size_t b = 0; b < whole; ++b) {
    const std::array<Word, 8>& masks = kSignMasks<Word>[bits[b]];
    T* eight = out.data() + 8 * b;
    for (size_t j = 0; j < 8; ++j) eight[j] += std::bit_cast<T>(plus ^ masks[j]);
  }
  for (size_t i = 8 * whole; i < out.size(); ++i)
    out[i] += std::bit_cast<T>(plus ^ kSignMasks<Word>[bits[whole]][i % 8]);
}

template <typename T>
bool EncodeSigns(const Source<T>& source, std::byte* scales, uint8_t* bits) {
  return ForBlocksOf<T>(source, [&](size_t first, std::span<T> u) {
    const T scale = MeanMagnitude<T>(u);
    std::memcpy(scales + first / kBlock * sizeof(T), &scale, sizeof(T));
    PackSigns<T>(u, bits + first / 8);
    SubtractSigns<T>(u, scale);
  });
}

template <typename T>
void SumSigns(std::span<const Signs<T>> all, Into into, std::span<T> out) {
  for (size_t first = 0; first < out.size(); first += kBlock) {
    const std::span<T> part = out.subspan(first, std::min(kBlock, out.size() - first));
    if (into != Into::kAdd) std::fill(part.begin(), part.end(), T{0});
    for (const Signs<T>& signs : all) {
      const T scale = ValueAt<T>(signs.scales, signs.one_scale ? 0 : first / kBlock);
      AddSigns<T>(signs.bits + first / 8, signs.weight * scale, part);
    }
  }
}

}  // namespace gradwire::kernels::scalar
