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
  const size_t begin = std::min(K * bytes, n), here = std::min(bytes, n - begin);  // counted: compilers make vectors
  for (size_t j = 0; j < here; ++j)
    codes[begin + j] = in[j] < kPowersOf3[5] ? static_cast<uint16_t>(in[j] / kPowersOf3[K] % 3) : uint16_t{3};
}

/// Codes 0 to 2, five to a byte.
inline void PackTernary(const uint16_t* codes, size_t n, std::byte* out) {
  auto* digits = reinterpret_cast<uint8_t*>(out);
  const size_t bytes = (n + 4) / 5;
  for (size_t j = 0; j < bytes; ++j) digits[j] = static_cast<uint8_t>(codes[j]);
  for (size_t k = 1; k < 5; ++k) {
    const size_t begin = std::min(k * bytes, n), here = std::min(bytes, n - begin);
    for (size_t j = 0; j < here; ++j) digits[j] = static_cast<uint8_t>(digits[j] + codes[begin + j] * kPowersOf3[k]);
  }
}

/// Reads them; a byte that holds no five digits gives code 3.
inline void UnpackTernary(const std::byte* in, size_t n, uint16_t* codes) {
  const auto* digits = reinterpret_cast<const uint8_t*>(in);
  const size_t bytes = (n + 4) / 5;
  TakeDigit<0>(digits, n, bytes, codes), TakeDigit<1>(digits, n, bytes, codes), TakeDigit<2>(digits, n, bytes, codes);
  TakeDigit<3>(digits, n, bytes, codes), TakeDigit<4>(digits, n, bytes, codes);
}

// Fields of codes: `width` bits, 1, 2, 4 or 8, from bit `shift` on. Those of one bit lie as signs do, those of a byte
// as they are; of four or two bits a group of m is cut in equal runs, so that vectors take them as they lie: byte j has
// the fields j, J + j, ... with J = ceil(m width / 8).

constexpr size_t FieldBytes(size_t n, unsigned width) { return (n * width + 7) / 8; }

/// Calls take(first field, fields, first byte, J) for the groups of n fields of four or two bits.
template <typename Take>
void ForGroups(size_t n, unsigned width, Take&& take) {
  const size_t group = 128 / width, whole = n / group * group;
  for (size_t first = 0; first < whole; first += group) take(first, group, first * width / 8, size_t{16});
  if (whole < n) take(whole, n - whole, whole * width / 8, FieldBytes(n - whole, width));
}

/// Unused bits of the last byte are 0.
inline void PackBits(const uint16_t* codes, size_t n, unsigned width, unsigned shift, std::byte* out) {
  auto* bytes = reinterpret_cast<uint8_t*>(out);
  if (width == 8) {
    for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<uint8_t>(codes[i] >> shift);
    return;
  }
  std::memset(bytes, 0, FieldBytes(n, width));
  if (width == 1) {
    for (size_t i = 0; i < n; ++i) bytes[i / 8] |= static_cast<uint8_t>((codes[i] >> shift & 1u) << i % 8);
    return;
  }
  const unsigned mask = (1u << width) - 1;
  ForGroups(n, width, [&](size_t first, size_t m, size_t byte, size_t run) {
    for (size_t begin = 0, place = 0; begin < m; begin += run, place += width)
      for (size_t j = 0; j < std::min(run, m - begin); ++j)
        bytes[byte + j] |= static_cast<uint8_t>((codes[first + begin + j] >> shift & mask) << place);
  });
}

/// Reads them; with a shift they are set in codes whose lower bits are there already.
inline void UnpackBits(const std::byte* in, size_t n, unsigned width, unsigned shift, uint16_t* codes) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(in);
  const unsigned mask = (1u << width) - 1, keep = (1u << shift) - 1;
  const auto put = [&](size_t i, unsigned field) {
    codes[i] = static_cast<uint16_t>((shift ? codes[i] & keep : 0u) | (field & mask) << shift);
  };
  if (width == 8) {
    for (size_t i = 0; i < n; ++i) put(i, bytes[i]);
    return;
  }
  if (width == 1) {
    for (size_t i = 0; i < n; ++i) put(i, bytes[i / 8] >> i % 8);
    return;
  }
  ForGroups(n, width, [&](size_t first, size_t m, size_t byte, size_t run) {
    for (size_t begin = 0, place = 0; begin < m; begin += run, place += width)
      for (size_t j = 0; j < std::min(run, m - begin); ++j) put(first + begin + j, bytes[byte + j] >> place);
  });
}

/// The largest code, 0 of none.
inline uint16_t LargestCode(const uint16_t* codes, size_t n) {
  uint16_t largest = 0;
  for (size_t i = 0; i < n; ++i) largest = std::max(largest, codes[i]);
  return largest;
}

}  // namespace gradwire::kernels::scalar
