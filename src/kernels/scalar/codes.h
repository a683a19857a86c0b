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

/// The first `n` of eight codes, as `width` bits each.
inline void PackEight(const uint16_t* codes, size_t n, unsigned width, unsigned shift, uint8_t* out) {
  const uint64_t mask = (uint64_t{1} << width) - 1;
  uint64_t held = 0;
  for (size_t j = 0; j < n; ++j) held |= (uint64_t{codes[j]} >> shift & mask) << (j * width);
  std::memcpy(out, &held, (n * width + 7) / 8);  // little-endian, as the format
}

template <typename T>
void PackBits(const uint16_t* codes, size_t n, unsigned width, unsigned shift, std::byte* out) {
  auto* bytes = reinterpret_cast<uint8_t*>(out);
  if (width == 8) {
    for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<uint8_t>(codes[i] >> shift);
    return;
  }
  if (width == 4) {
    for (size_t b = 0; b < n / 2; ++b)
      bytes[b] = static_cast<uint8_t>((codes[2 * b] >> shift & 15) | (codes[2 * b + 1] >> shift & 15) << 4);
    if (n % 2) bytes[n / 2] = static_cast<uint8_t>(codes[n - 1] >> shift & 15);
    return;
  }
  for (size_t i = 0; i < n; i += 8)
    PackEight(codes + i, std::min<size_t>(8, n - i), width, shift, bytes + i / 8 * width);
}

inline void UnpackEight(const uint8_t* in, size_t n, unsigned width, unsigned shift, uint16_t* codes) {
  uint64_t held = 0;
  std::memcpy(&held, in, (n * width + 7) / 8);
  const uint64_t mask = (uint64_t{1} << width) - 1;
  for (size_t j = 0; j < n; ++j)
    codes[j] = static_cast<uint16_t>((shift ? codes[j] : 0) | (held >> (j * width) & mask) << shift);
}

template <typename T>
void UnpackBits(const std::byte* in, size_t n, unsigned width, unsigned shift, uint16_t* codes) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(in);
  if (width == 8 && shift == 0) {
    for (size_t i = 0; i < n; ++i) codes[i] = bytes[i];
    return;
  }
  if (width == 4 && shift == 0) {
    for (size_t b = 0; b < n / 2; ++b) codes[2 * b] = bytes[b] & 15, codes[2 * b + 1] = bytes[b] >> 4;
    if (n % 2) codes[n - 1] = bytes[n / 2] & 15;
    return;
  }
  for (size_t i = 0; i < n; i += 8)
    UnpackEight(bytes + i / 8 * width, std::min<size_t>(8, n - i), width, shift, codes + i);
}

template <typename T>
uint16_t LargestCode(const uint16_t* codes, size_t n) {
  uint16_t largest = 0;
  for (size_t i = 0; i < n; ++i) largest = std::max(largest, codes[i]);
  return largest;
}

}  // namespace gradwire::kernels::scalar
