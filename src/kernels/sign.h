// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

namespace gradwire::kernels {

/// Elements that share a scale. 1,024 keeps the state a plain residual, approximates better than one scale a tensor,
/// and costs 1/32 bit an element.
inline constexpr size_t kSignBlock = 1024;

/// Mean of |u| over a block, with a fixed order of additions (FORMAT.md): lane j sums elements j, j+16, j+32, ...; then
/// the lanes are folded in halves. Every instruction set gets the same bits.
template <typename T>
T MeanMagnitude(std::span<const T> u) {
  constexpr size_t kLanes = 16;
  std::array<T, kLanes> lanes{};
  const size_t whole = u.size() / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes)
    for (size_t j = 0; j < kLanes; ++j) lanes[j] += std::abs(u[i + j]);
  for (size_t i = whole; i < u.size(); ++i) lanes[i - whole] += std::abs(u[i]);
  for (size_t width = kLanes / 2; width > 0; width /= 2)
    for (size_t j = 0; j < width; ++j) lanes[j] += lanes[j + width];
  const T mean = lanes[0] / static_cast<T>(u.size());
  return std::min(mean, std::numeric_limits<T>::max());  // the sum may overflow; the residual must stay finite
}

/// Bit i % 8 of byte i / 8 is set where u[i] < 0; unused bits of the last byte are 0.
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

/// u <- u - scale * sign(u), with sign(0) = +1.
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

/// out <- out + value * (+1 or -1 by bit).
template <typename T>
void AddSigns(const uint8_t* bits, T value, std::span<T> out) {
  using Word = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
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

}  // namespace gradwire::kernels
