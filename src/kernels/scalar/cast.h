// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>

#include "base/half.h"
#include "kernels/codes.h"
#include "kernels/kernels.h"
#include "kernels/scalar/add.h"
#include "kernels/scalar/norm.h"

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
  static constexpr uint16_t kExponentBits = 0x7c00;
  static constexpr int kTop = 15;
  static uint16_t Code(float x) { return ToHalfSelect(x); }
  static float Value(uint16_t code) { return FromHalfSelect(code); }
};

struct Bfloat {
  static constexpr uint16_t kExponentBits = 0x7f80;
  static constexpr int kTop = 1;
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

// A payload: the exponents of its blocks, int32, then the codes.

/// Exponents of payloads are in -kExponentLimit .. kExponentLimit: beyond those of finite doubles.
inline constexpr int32_t kExponentLimit = 1100;

inline std::byte* CodesOf(std::byte* payload, size_t n) { return payload + BlocksOf(n) * sizeof(int32_t); }
inline const std::byte* CodesOf(const std::byte* payload, size_t n) { return payload + BlocksOf(n) * sizeof(int32_t); }

/// What brings the largest magnitude of a block to [2^(top - 1), 2^top).
template <typename Format, typename T>
int32_t ExponentFor(T largest) {
  if (largest == 0 || !(largest <= std::numeric_limits<T>::max())) return 0;
  int exponent = 0;
  std::frexp(largest, &exponent);  // largest = m 2^exponent, m in [1/2, 1)
  return Format::kTop - exponent;
}

/// Elements from `first` on, a block or what is left, of a piece of n.
template <typename Format, typename T>
void CastBlock(size_t n, size_t first, std::span<T> u, std::byte* payload) {
  const int32_t exponent = ExponentFor<Format>(MaxMagnitude<T>(u));
  std::memcpy(payload + first / kBlock * sizeof(exponent), &exponent, sizeof(exponent));
  Cast<Format>(u, exponent, CodesOf(payload, n) + 2 * first);
}

template <typename Format, typename T>
bool CastSource(const Source<T>& source, std::byte* payload) {
  return ForBlocksOf<T>(source, [&](size_t first, std::span<T> u) { CastBlock<Format>(source.n, first, u, payload); });
}

template <typename Format>
bool AllFiniteCodes(const std::byte* codes, size_t count) {
  uint16_t any = 0;
  for (size_t i = 0; i < count; ++i)
    any |= static_cast<uint16_t>((LoadCode(codes, i) & Format::kExponentBits) == Format::kExponentBits);
  return any == 0;
}

/// As SumHalves, of the block `part` from `first` on of n elements.
template <typename Format, typename T>
size_t SumCastBlock(std::span<const Coded<T>> all, Into into, size_t n, size_t first, std::span<T> part) {
  if (into != Into::kAdd) std::fill(part.begin(), part.end(), T{0});
  for (size_t r = 0; r < all.size(); ++r) {
    const std::byte* codes = CodesOf(all[r].bytes, n) + 2 * first;
    if (!AllFiniteCodes<Format>(codes, part.size())) return r;
    AddCodes<Format>(codes, ValueAt<int32_t>(all[r].bytes, first / kBlock), all[r].weight, part);
  }
  return all.size();
}

template <typename Format, typename T>
size_t SumCasts(std::span<const Coded<T>> all, Into into, std::span<T> out) {
  size_t wrong = all.size();
  ForBlocks(out.size(), [&](size_t first, size_t n) {
    wrong = std::min(wrong, SumCastBlock<Format>(all, into, out.size(), first, out.subspan(first, n)));
  });
  return wrong;
}

template <typename T>
bool EncodeHalves(const Source<T>& source, std::byte* payload) {
  return CastSource<Half>(source, payload);
}
template <typename T>
bool EncodeBfloats(const Source<T>& source, std::byte* payload) {
  return CastSource<Bfloat>(source, payload);
}
template <typename T>
size_t SumHalves(std::span<const Coded<T>> all, Into into, std::span<T> out) {
  return SumCasts<Half>(all, into, out);
}
template <typename T>
size_t SumBfloats(std::span<const Coded<T>> all, Into into, std::span<T> out) {
  return SumCasts<Bfloat>(all, into, out);
}

}  // namespace gradwire::kernels::scalar
