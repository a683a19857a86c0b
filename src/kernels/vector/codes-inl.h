// SPDX-License-Identifier: Apache-2.0
// Rows of integers and of codes of 8 and 16 bits, and payloads that are summed block by block.
#if defined(GRADWIRE_VECTOR_CODES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_CODES_INL_H
#undef GRADWIRE_VECTOR_CODES_INL_H
#else
#define GRADWIRE_VECTOR_CODES_INL_H
#endif

#include <algorithm>
#include <span>

#include "hwy/cache_control.h"
#include "kernels/codes.h"
#include "kernels/kernels.h"
#include "kernels/vector/row-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

using Floats = Tag<float>;
using Ints = Tag<int32_t>;
using Uints = Tag<uint32_t>;

/// Towards zero, of values that an int holds: Highway's conversion also mends those that it does not.
HWY_INLINE Vec<int32_t> Truncated(Vec<float> v) {
#if HWY_TARGET == HWY_AVX3
  return Vec<int32_t>{_mm512_cvttps_epi32(v.raw)};
#elif HWY_TARGET == HWY_AVX2
  return Vec<int32_t>{_mm256_cvttps_epi32(v.raw)};
#else
  return hn::ConvertTo(Ints(), v);
#endif
}

/// To the nearest, of such values.
HWY_INLINE Vec<int32_t> Nearest(Vec<float> v) {
#if HWY_TARGET == HWY_AVX3
  return Vec<int32_t>{_mm512_cvtps_epi32(v.raw)};
#elif HWY_TARGET == HWY_AVX2
  return Vec<int32_t>{_mm256_cvtps_epi32(v.raw)};
#else
  return hn::NearestInt(v);
#endif
}

/// Whether these bits are 0 in some lane.
HWY_INLINE bool SomeZero(Vec<int32_t> v, int32_t bits) {
#if HWY_TARGET == HWY_AVX3  // one instruction for two
  return _mm512_testn_epi32_mask(v.raw, hn::Set(Ints(), bits).raw) != 0;
#else
  return !hn::AllFalse(Ints(), hn::Eq(hn::And(v, hn::Set(Ints(), bits)), hn::Zero(Ints())));
#endif
}

/// The lower bytes, or 16 bits, of a row.
template <typename Code>
HWY_INLINE void StoreCodes(const Row<int32_t>& row, Code* to) {
  const hn::Rebind<Code, Uints> narrow;
  for (size_t k = 0; k < Row<int32_t>::kVectors; ++k)
    hn::StoreU(hn::TruncateTo(narrow, hn::BitCast(Uints(), row.v[k])), narrow, to + k * Row<int32_t>::kLanes);
}

/// The k-th vector of a row of codes.
template <typename Code>
HWY_INLINE Vec<int32_t> LoadCodes(const Code* from, size_t k) {
  const hn::Rebind<Code, Ints> narrow;
  return hn::PromoteTo(Ints(), hn::LoadU(narrow, from + k * Row<int32_t>::kLanes));
}

/// Payloads of a sum that are taken at once; of more, the sum of the first ones is read again.
inline constexpr size_t kMostCoded = 64;

/// Calls block(some, into, first, part) for blocks of `out` and up to kMostCoded payloads at once; it returns the place
/// of the first payload that is wrong, or how many there are. So does this.
template <typename T, typename Block>
HWY_INLINE size_t SumBlocks(std::span<const Coded<T>> all, Into into, std::span<T> out, Block&& block) {
  if (into == Into::kStream && (!MayStream(out.data()) || all.size() > kMostCoded)) into = Into::kWrite;
  size_t done = 0, wrong = all.size();
  do {
    const auto some = all.subspan(done, std::min(kMostCoded, all.size() - done));
    ForBlocks(out.size(), [&](size_t first, size_t n) HWY_ATTR {
      const size_t found = block(some, done == 0 ? into : Into::kAdd, first, out.subspan(first, n));
      if (found < some.size()) wrong = std::min(wrong, done + found);
    });
    done += some.size();
  } while (done < all.size());
  if (into == Into::kStream) hwy::FlushStream();
  return wrong;
}

/// What a row of a sum begins with, and where it goes.
HWY_INLINE Vec<float> BeginSum(Into into, const float* out) {
  return into == Into::kAdd ? hn::LoadU(Floats(), out) : hn::Zero(Floats());
}
HWY_INLINE void EndSum(Into into, Vec<float> sum, float* out) {
  into == Into::kStream ? hn::Stream(sum, Floats(), out) : hn::StoreU(sum, Floats(), out);
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
