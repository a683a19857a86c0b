// SPDX-License-Identifier: Apache-2.0
// The kernels in vectors, written once on Highway: this file is compiled again for each instruction set, in a namespace
// of its own (HWY_NAMESPACE). A kernel without a vector form here is its specification, inlined into a function for
// that instruction set (`flatten`): the compiler makes vector code of it, and nothing compiled for AVX can be linked
// into code that runs elsewhere, as inline functions of a file compiled with -mavx2 would be. Neither brings a fused
// multiply-add (-ffp-contract=off, and no MulAdd here), so all give the same bits.
//
// Only Highway's headers are used, and none of its library: which set runs is chosen by name in dispatch.cc.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/vectors.cc"
// Sets between those that the table of dispatch.cc names.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#include "hwy/foreach_target.h"  // must come before highway.h

#include "hwy/highway.h"
#include "kernels/isa.h"
#include "kernels/scalar/all.h"

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
#include "kernels/vector/add-inl.h"
#include "kernels/vector/cast-inl.h"
#include "kernels/vector/dither-inl.h"
#include "kernels/vector/dither-sum-inl.h"
#include "kernels/vector/factors-inl.h"
#include "kernels/vector/kept-inl.h"
#include "kernels/vector/natural-inl.h"
#include "kernels/vector/positions-inl.h"
#include "kernels/vector/sign-inl.h"
#include "kernels/vector/topk-inl.h"
#include "kernels/vector/toss-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

namespace compiled {
#define GRADWIRE_KERNEL(name, result, parameters, arguments)        \
  template <typename T>                                             \
  HWY_ATTR __attribute__((flatten)) static result name parameters { \
    return scalar::name<T> arguments;                               \
  }
#include "kernels/kernels.inc"
#undef GRADWIRE_KERNEL
}  // namespace compiled

/// Of floats; of doubles they are the specification.
constexpr void PutRounding(Table<float>& table) {
  table.EncodeHalves = EncodeHalves;
  table.EncodeBfloats = EncodeBfloats;
  table.SumHalves = SumHalves;
  table.SumBfloats = SumBfloats;
  table.EncodeDithered = EncodeDithered;
  table.SumDithered = SumDithered;
  table.EncodeNatural = EncodeNatural;
  table.SumNatural = SumNatural;
  table.EncodeTossed = EncodeTossed;
}
constexpr void PutRounding(Table<double>&) {}

template <typename T>
constexpr Table<T> Forms() {
  Table<T> table = {
#define GRADWIRE_KERNEL(name, result, parameters, arguments) .name = compiled::name<T>,
#include "kernels/kernels.inc"
#undef GRADWIRE_KERNEL
  };
  PutAdd(table);
  PutFactors(table);
  PutKept(table);
  PutPositions(table);
  PutSign(table);
  PutRounding(table);
  PutTopK(table);
  return table;
}

inline constexpr Table<float> kFloat = Forms<float>();
inline constexpr Table<double> kDouble = Forms<double>();

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
#if HWY_ARCH_X86
#include <cpuid.h>
#endif

namespace gradwire::kernels {
namespace {

#if HWY_TARGETS & (HWY_AVX2 | HWY_AVX3)
/// What Highway compiles for. By CPUID what clang 14's __builtin_cpu_supports does not know; that the system saves the
/// registers is part of its "avx2".
bool RunsAvx2() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool has_f16c = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
  const bool has_lzcnt = __get_cpuid(0x80000001, &a, &b, &c, &d) != 0 && (c & bit_LZCNT) != 0;
  return has_f16c && has_lzcnt && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("aes") &&
         __builtin_cpu_supports("pclmul");
}

bool RunsAvx512() {
  return RunsAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}

constexpr Isa kIsaAvx2 = {"avx2", RunsAvx2, N_AVX2::kFloat, N_AVX2::kDouble};
constexpr Isa kIsaAvx512 = {"avx512", RunsAvx512, N_AVX3::kFloat, N_AVX3::kDouble};
#endif
#if HWY_TARGETS & HWY_NEON
constexpr Isa kIsaNeon = {"neon", [] { return true; }, N_NEON::kFloat, N_NEON::kDouble};
#endif

}  // namespace

#if HWY_TARGETS & (HWY_AVX2 | HWY_AVX3)
const Isa* const kAvx2 = &kIsaAvx2;
const Isa* const kAvx512 = &kIsaAvx512;
#else
const Isa* const kAvx2 = nullptr;
const Isa* const kAvx512 = nullptr;
#endif
#if HWY_TARGETS & HWY_NEON
const Isa* const kNeon = &kIsaNeon;
#else
const Isa* const kNeon = nullptr;
#endif

}  // namespace gradwire::kernels
#endif
