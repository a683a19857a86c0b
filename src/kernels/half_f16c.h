// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "kernels/cast.h"

// Casts to and from binary16 by the instructions that x86-64 has for them since 2012 (F16C). The bits are those of
// base/half.h, for the finite values that kernels/cast.h asks for.

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

namespace gradwire::kernels {

inline bool HasF16c() {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c");
  return has;
}

/// CastAndSubtract<HalfCodes>. No fused multiply-add: `down` times the value is rounded first.
__attribute__((target("avx2,f16c"))) inline void CastAndSubtractF16c(std::span<float> u, float up, float down,
                                                                     std::byte* codes) {
  const size_t whole = u.size() / 8 * 8;
  const __m256 ups = _mm256_set1_ps(up), downs = _mm256_set1_ps(down);
  for (size_t i = 0; i < whole; i += 8) {
    const __m256 x = _mm256_loadu_ps(&u[i]);
    const __m128i half = _mm256_cvtps_ph(_mm256_mul_ps(x, ups), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + 2 * i), half);
    _mm256_storeu_ps(&u[i], _mm256_sub_ps(x, _mm256_mul_ps(_mm256_cvtph_ps(half), downs)));
  }
  CastAndSubtract<HalfCodes>(u.subspan(whole), up, down, codes + 2 * whole);
}

/// AddCodes<HalfCodes>.
__attribute__((target("avx2,f16c"))) inline void AddCodesF16c(const std::byte* codes, float down, float weight,
                                                              std::span<float> out) {
  const size_t whole = out.size() / 8 * 8;
  const __m256 downs = _mm256_set1_ps(down), weights = _mm256_set1_ps(weight);
  for (size_t i = 0; i < whole; i += 8) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + 2 * i));
    const __m256 value = _mm256_mul_ps(weights, _mm256_mul_ps(_mm256_cvtph_ps(half), downs));
    _mm256_storeu_ps(&out[i], _mm256_add_ps(_mm256_loadu_ps(&out[i]), value));
  }
  AddCodes<HalfCodes>(codes + 2 * whole, down, weight, out.subspan(whole));
}

}  // namespace gradwire::kernels

#else

namespace gradwire::kernels {

inline bool HasF16c() { return false; }
inline void CastAndSubtractF16c(std::span<float>, float, float, std::byte*) {}
inline void AddCodesF16c(const std::byte*, float, float, std::span<float>) {}

}  // namespace gradwire::kernels

#endif
