// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

namespace gradwire::kernels::scalar {

/// The word at a byte; zeros behind the end.
inline uint64_t WordAt(std::span<const std::byte> bytes, size_t at) {
  uint64_t word = 0;
  if (at < bytes.size()) std::memcpy(&word, bytes.data() + at, std::min(sizeof(word), bytes.size() - at));
  return word;
}

/// Of bits begin .. end - 1 those that lie from bit `at` on, which is a multiple of 64; the others are 0.
inline uint64_t WordWithin(std::span<const std::byte> bytes, size_t at, size_t begin, size_t end) {
  uint64_t word = WordAt(bytes, at / 8);
  if (at < begin) word &= ~uint64_t{0} << (begin - at);
  if (at + 64 > end) word &= (uint64_t{1} << (end - at)) - 1;
  return word;
}

/// Eight at a time, for a loop that is rarely guessed wrongly.
template <typename T>
size_t ReadOnes(std::span<const std::byte> bytes, size_t begin, size_t end, size_t most, uint32_t* ones) {
  size_t count = 0;
  for (size_t at = begin / 64 * 64; at < end; at += 64) {
    uint64_t word = WordWithin(bytes, at, begin, end);
    const auto more = static_cast<size_t>(std::popcount(word));
    if (more > most - count) return most + 1;
    for (size_t i = 0; i < more; i += 8)
      for (size_t l = i; l < i + 8; ++l, word &= word - 1)
        ones[count + l] = static_cast<uint32_t>(at - begin + static_cast<size_t>(std::countr_zero(word)));
    count += more;
  }
  return count;
}

/// From the j-th on; four at a time where one load has all their low bits.
template <typename T>
void ReadLowBits(std::span<const std::byte> bytes, unsigned width, size_t j, std::span<uint32_t> positions) {
  const auto mask = static_cast<uint32_t>((uint64_t{1} << width) - 1);
  const auto read = [&](size_t i, uint64_t word) {
    const auto index = static_cast<uint32_t>(i);
    positions[i] = ((positions[i] - index) << width | (static_cast<uint32_t>(word) & mask)) + index;
  };
  for (; width <= 14 && j + 4 <= positions.size() && j * width / 8 + sizeof(uint64_t) <= bytes.size(); j += 4) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + j * width / 8, sizeof(word));
    word >>= j * width % 8;
    for (size_t i = j; i < j + 4; ++i, word >>= width) read(i, word);
  }
  for (; j < positions.size(); ++j) read(j, WordAt(bytes, j * width / 8) >> j * width % 8);
}

template <typename T>
void ReadLowBits(std::span<const std::byte> bytes, unsigned width, std::span<uint32_t> positions) {
  ReadLowBits<T>(bytes, width, 0, positions);
}

}  // namespace gradwire::kernels::scalar
