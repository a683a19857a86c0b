// SPDX-License-Identifier: Apache-2.0
#include "kernels/isa.h"
#include "kernels/scalar/all.h"

// The specification, compiled again for AVX2 (which brings no fused multiply-add, so the bits are the same), and by
// hand what compilers do not find: casts to binary16 by the instructions that there are for them, and signs from bits.

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>

// A template that is inlined into a function takes that function's instruction set.
#define GRADWIRE_AVX2 __attribute__((target("avx2,f16c"), flatten))

namespace gradwire::kernels {
namespace {

namespace avx2 {

#define GRADWIRE_KERNEL(name, result, parameters, arguments) \
  template <typename T>                                      \
  GRADWIRE_AVX2 result name parameters {                     \
    return scalar::name<T> arguments;                        \
  }
#include "kernels/kernels.inc"
#undef GRADWIRE_KERNEL

// No fused multiply-add: `down` times the value is rounded first.

GRADWIRE_AVX2 void CastToHalfFloats(std::span<float> u, int exponent, std::byte* codes) {
  if (!scalar::ExactInFloat(exponent)) return scalar::CastToHalf<float>(u, exponent, codes);
  const size_t whole = u.size() / 8 * 8;
  const __m256 up = _mm256_set1_ps(scalar::Power(exponent)), down = _mm256_set1_ps(scalar::Power(-exponent));
  for (size_t i = 0; i < whole; i += 8) {
    const __m256 x = _mm256_loadu_ps(&u[i]);
    const __m128i half = _mm256_cvtps_ph(_mm256_mul_ps(x, up), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + 2 * i), half);
    _mm256_storeu_ps(&u[i], _mm256_sub_ps(x, _mm256_mul_ps(_mm256_cvtph_ps(half), down)));
  }
  scalar::CastToHalf<float>(u.subspan(whole), exponent, codes + 2 * whole);
}

GRADWIRE_AVX2 void AddHalfFloats(const std::byte* codes, int exponent, float weight, std::span<float> out) {
  if (!scalar::ExactInFloat(exponent)) return scalar::AddHalves<float>(codes, exponent, weight, out);
  const size_t whole = out.size() / 8 * 8;
  const __m256 down = _mm256_set1_ps(scalar::Power(-exponent)), weights = _mm256_set1_ps(weight);
  for (size_t i = 0; i < whole; i += 8) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + 2 * i));
    const __m256 value = _mm256_mul_ps(weights, _mm256_mul_ps(_mm256_cvtph_ps(half), down));
    _mm256_storeu_ps(&out[i], _mm256_add_ps(_mm256_loadu_ps(&out[i]), value));
  }
  scalar::AddHalves<float>(codes + 2 * whole, exponent, weight, out.subspan(whole));
}

/// Bit j of a byte becomes the sign of its element j.
GRADWIRE_AVX2 void AddSignFloats(const uint8_t* bits, float value, std::span<float> out) {
  const size_t whole = out.size() / 8;
  const __m256i each = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128), top = _mm256_set1_epi32(1 << 31);
  const __m256 plus = _mm256_set1_ps(value);
  for (size_t b = 0; b < whole; ++b) {
    const __m256i bit = _mm256_and_si256(_mm256_set1_epi32(bits[b]), each);
    const __m256i sign = _mm256_and_si256(_mm256_cmpeq_epi32(bit, each), top);
    float* eight = out.data() + 8 * b;
    _mm256_storeu_ps(eight, _mm256_add_ps(_mm256_loadu_ps(eight), _mm256_xor_ps(plus, _mm256_castsi256_ps(sign))));
  }
  scalar::AddSigns<float>(bits + whole, value, out.subspan(8 * whole));
}

}  // namespace avx2

template <typename T>
constexpr Table<T> Compiled() {
  return {
#define GRADWIRE_KERNEL(name, result, parameters, arguments) .name = avx2::name<T>,
#include "kernels/kernels.inc"
#undef GRADWIRE_KERNEL
  };
}

constexpr Table<float> WithIntrinsics() {
  Table<float> table = Compiled<float>();
  table.AddSigns = avx2::AddSignFloats;
  table.CastToHalf = avx2::CastToHalfFloats;
  table.AddHalves = avx2::AddHalfFloats;
  return table;
}

/// By CPUID: clang 14's __builtin_cpu_supports does not know F16C.
bool RunsHere() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __builtin_cpu_supports("avx2") && __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

constexpr Isa kIsa = {"avx2", RunsHere, WithIntrinsics(), Compiled<double>()};

}  // namespace

const Isa* const kAvx2 = &kIsa;

}  // namespace gradwire::kernels

#else

namespace gradwire::kernels {

const Isa* const kAvx2 = nullptr;

}  // namespace gradwire::kernels

#endif
