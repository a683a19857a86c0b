// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "base/half.h"

namespace gradwire::kernels::scalar {

// Casts of many floats go without a branch, so that compilers make vector code of them. base/half.h is the
// specification: the bits are the same.

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

struct Half {
  static uint16_t Code(float x) { return ToHalfSelect(x); }
  static float Value(uint16_t code) { return FromHalfSelect(code); }
};

struct Bfloat {
  static uint16_t Code(float x) { return ToBfloat(x); }
  static float Value(uint16_t code) { return FromBfloat(code); }
};

inline uint16_t LoadCode(const std::byte* codes, size_t i) {
  uint16_t code;
  std::memcpy(&code, codes + 2 * i, 2);
  return code;
}

/// Whether products with 2^exponent and 2^-exponent are exact in float, or too small to have a code.
inline bool ExactInFloat(int exponent) { return exponent > -100 && exponent < 120; }

/// 2^e in float, where that is exact.
inline float Power(int e) { return std::ldexp(1.0f, e); }

/// 2^e as two factors, so that neither over- nor underflows for any finite double.
struct PowerOfTwo {
  explicit PowerOfTwo(int e) : first(std::ldexp(1.0, e / 2)), second(std::ldexp(1.0, e - e / 2)) {}
  double operator*(double x) const { return x * first * second; }
  double first, second;
};

template <typename T, typename Format>
T ValueOf(uint16_t code, const PowerOfTwo& down) {
  return static_cast<T>(down * static_cast<double>(Format::Value(code)));
}

template <typename Format>
void CastInFloat(std::span<float> u, float up, float down, std::byte* codes) {
  for (size_t i = 0; i < u.size(); ++i) {
    const uint16_t code = Format::Code(u[i] * up);
    std::memcpy(codes + 2 * i, &code, 2);
    u[i] -= Format::Value(code) * down;
  }
}

template <typename Format, typename T>
void Cast(std::span<T> u, int exponent, std::byte* codes) {
  if constexpr (std::is_same_v<T, float>)
    if (ExactInFloat(exponent)) return CastInFloat<Format>(u, Power(exponent), Power(-exponent), codes);
  const PowerOfTwo up(exponent), down(-exponent);
  for (size_t i = 0; i < u.size(); ++i) {
    uint16_t code = Format::Code(static_cast<float>(up * static_cast<double>(u[i])));
    T value = ValueOf<T, Format>(code, down);
    if (!std::isfinite(value)) value = ValueOf<T, Format>(--code, down);  // rounded up beyond T's largest
    std::memcpy(codes + 2 * i, &code, 2);
    u[i] -= value;
  }
}

template <typename Format, typename T>
void AddCodes(const std::byte* codes, int exponent, T weight, std::span<T> out) {
  if constexpr (std::is_same_v<T, float>)
    if (ExactInFloat(exponent)) {
      const float down = Power(-exponent);
      for (size_t i = 0; i < out.size(); ++i) out[i] += weight * (Format::Value(LoadCode(codes, i)) * down);
      return;
    }
  const PowerOfTwo down(-exponent);
  for (size_t i = 0; i < out.size(); ++i) out[i] += weight * ValueOf<T, Format>(LoadCode(codes, i), down);
}

template <typename T>
void CastToHalf(std::span<T> u, int exponent, std::byte* codes) {
  Cast<Half>(u, exponent, codes);
}
template <typename T>
void CastToBfloat(std::span<T> u, int exponent, std::byte* codes) {
  Cast<Bfloat>(u, exponent, codes);
}
template <typename T>
void AddHalves(const std::byte* codes, int exponent, T weight, std::span<T> out) {
  AddCodes<Half>(codes, exponent, weight, out);
}
template <typename T>
void AddBfloats(const std::byte* codes, int exponent, T weight, std::span<T> out) {
  AddCodes<Bfloat>(codes, exponent, weight, out);
}

template <typename T>
bool AnyCodeHas(const std::byte* codes, size_t count, uint16_t exponent_bits) {
  uint16_t any = 0;
  for (size_t i = 0; i < count; ++i)
    any |= static_cast<uint16_t>((LoadCode(codes, i) & exponent_bits) == exponent_bits);
  return any != 0;
}

}  // namespace gradwire::kernels::scalar
