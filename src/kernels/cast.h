// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/half.h"

namespace gradwire::kernels {

// Casts of many floats, without a branch, so that compilers make vector code of them. base/half.h is the specification:
// the bits are the same.

/// Largest magnitude below 65,520: no infinities.
inline uint16_t ToHalfSelect(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  const uint32_t small = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000;
  const uint32_t normal = (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
  const uint32_t is_small = -static_cast<uint32_t>(static_cast<int32_t>(magnitude) < 0x38800000);
  return static_cast<uint16_t>(sign | (small & is_small) | (normal & ~is_small));
}

/// Finite halves.
inline float FromHalfSelect(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16, magnitude = half & 0x7fff;
  const uint32_t small = std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f);
  const uint32_t normal = (magnitude << 13) + 0x38000000;
  const uint32_t is_small = -static_cast<uint32_t>(static_cast<int32_t>(magnitude) < 0x400);
  return std::bit_cast<float>(sign | (small & is_small) | (normal & ~is_small));
}

struct HalfCodes {
  static uint16_t Code(float x) { return ToHalfSelect(x); }
  static float Value(uint16_t code) { return FromHalfSelect(code); }
};

struct BfloatCodes {
  static uint16_t Code(float x) { return ToBfloat(x); }
  static float Value(uint16_t code) { return FromBfloat(code); }
};

// Codes lie in payloads, where they need not be aligned.

inline uint16_t LoadCode(const std::byte* codes, size_t i) {
  uint16_t code;
  std::memcpy(&code, codes + 2 * i, 2);
  return code;
}

/// Code i = u[i] times `up`, rounded; u[i] -= what that stands for, times `down`.
template <typename Codes>
void CastAndSubtract(std::span<float> u, float up, float down, std::byte* codes) {
  for (size_t i = 0; i < u.size(); ++i) {
    const uint16_t code = Codes::Code(u[i] * up);
    std::memcpy(codes + 2 * i, &code, 2);
    u[i] -= Codes::Value(code) * down;
  }
}

/// out[i] += weight * (what code i stands for, times `down`).
template <typename Codes>
void AddCodes(const std::byte* codes, float down, float weight, std::span<float> out) {
  for (size_t i = 0; i < out.size(); ++i) out[i] += weight * (Codes::Value(LoadCode(codes, i)) * down);
}

/// Whether all exponent bits of some code are set: infinity or NaN.
inline bool AnyNonFinite(const std::byte* codes, size_t count, uint16_t exponent_bits) {
  uint16_t any = 0;
  for (size_t i = 0; i < count; ++i)
    any |= static_cast<uint16_t>((LoadCode(codes, i) & exponent_bits) == exponent_bits);
  return any != 0;
}

/// The largest magnitude of finite values, 0 of none.
inline float MaxMagnitude(std::span<const float> u) {
  int32_t largest = 0;  // magnitudes order like their bits
  for (const float x : u) largest = std::max(largest, std::bit_cast<int32_t>(x) & 0x7fffffff);
  return std::bit_cast<float>(largest);
}
inline double MaxMagnitude(std::span<const double> u) {
  double largest = 0;
  for (const double x : u) largest = std::max(largest, std::abs(x));
  return largest;
}

}  // namespace gradwire::kernels
