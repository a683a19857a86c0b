// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace gradwire::kernels::scalar {

inline constexpr uint8_t kPowersOf3[] = {1, 3, 9, 27, 81, 243};

/// Digits K of all bytes stand side by side: vectors take them as they lie. `bytes` is ceil(n / 5).
template <int K>
void TakeDigit(const uint8_t* in, size_t n, size_t bytes, uint16_t* codes) {
  for (size_t j = 0; j + K * bytes < n && j < bytes; ++j)
    codes[K * bytes + j] = in[j] < kPowersOf3[5] ? static_cast<uint16_t>(in[j] / kPowersOf3[K] % 3) : uint16_t{3};
}

template <typename T>
void PackTernary(const uint16_t* codes, size_t n, std::byte* out) {
  auto* digits = reinterpret_cast<uint8_t*>(out);
  const size_t bytes = (n + 4) / 5;
  for (size_t j = 0; j < bytes; ++j) digits[j] = static_cast<uint8_t>(codes[j]);
  for (size_t k = 1; k < 5; ++k)
    for (size_t j = 0; j + k * bytes < n && j < bytes; ++j)
      digits[j] = static_cast<uint8_t>(digits[j] + codes[k * bytes + j] * kPowersOf3[k]);
}

template <typename T>
void UnpackTernary(const std::byte* in, size_t n, uint16_t* codes) {
  const auto* digits = reinterpret_cast<const uint8_t*>(in);
  const size_t bytes = (n + 4) / 5;
  TakeDigit<0>(digits, n, bytes, codes), TakeDigit<1>(digits, n, bytes, codes), TakeDigit<2>(digits, n, bytes, codes);
  TakeDigit<3>(digits, n, bytes, codes), TakeDigit<4>(digits, n, bytes, codes);
}

/// Elements whose fields of `width` bits share 16 bytes.
constexpr size_t FieldGroup(unsigned width) { return 128 / width; }

/// Fields of one bit lie as signs do, those of a byte as they are; of four or two bits a group of m is cut in equal
/// runs, so that vectors take them as they lie: byte j has the fields j, J + j, ... with J = ceil(m width / 8).
template <typename T>
void PackBits(const uint16_t* codes, size_t n, unsigned width, unsigned shift, std::byte* out) {
  auto* bytes = reinterpret_cast<uint8_t*>(out);
  const unsigned mask = (1u << width) - 1;
  if (width == 8) {
    for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<uint8_t>(codes[i] >> shift);
    return;
  }
  std::memset(bytes, 0, (n * width + 7) / 8);
  if (width == 1) {
    for (size_t i = 0; i < n; ++i) bytes[i / 8] |= static_cast<uint8_t>((codes[i] >> shift & 1u) << i % 8);
    return;
  }
  for (size_t first = 0; first < n; first += FieldGroup(width)) {
    const size_t m = std::min(FieldGroup(width), n - first), run = (m * width + 7) / 8;
    for (size_t i = 0; i < m; ++i)
      bytes[first * width / 8 + i % run] |= static_cast<uint8_t>((codes[first + i] >> shift & mask) << i / run * width);
  }
}

template <typename T>
void UnpackBits(const std::byte* in, size_t n, unsigned width, unsigned shift, uint16_t* codes) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(in);
  const unsigned mask = (1u << width) - 1;
  const auto put = [&](size_t i, unsigned field) {
    codes[i] = static_cast<uint16_t>((shift ? codes[i] : 0u) | field << shift);
  };
  if (width == 8) {
    for (size_t i = 0; i < n; ++i) put(i, bytes[i]);
    return;
  }
  if (width == 1) {
    for (size_t i = 0; i < n; ++i) put(i, bytes[i / 8] >> i % 8 & 1u);
    return;
  }
  for (size_t first = 0; first < n; first += FieldGroup(width)) {
    const size_t m = std::min(FieldGroup(width), n - first), run = (m * width + 7) / 8;
    for (size_t i = 0; i < m; ++i) put(first + i, bytes[first * width / 8 + i % run] >> i / run * width & mask);
  }
}

template <typename T>
uint16_t LargestCode(const uint16_t* codes, size_t n) {
  uint16_t largest = 0;
  for (size_t i = 0; i < n; ++i) largest = std::max(largest, codes[i]);
  return largest;
}

}  // namespace gradwire::kernels::scalar
