// SPDX-License-Identifier: Apache-2.0
// The lanes of a vector that a mask names, stored side by side. By Highway where that is an instruction or a small
// table; for AVX2 by a table of our own: that of Highway 1.0.3 (Debian 12) is copied to the stack by GCC 12 at every
// call, which made collecting 15 times slower (google/highway issue 1139).
#if defined(GRADWIRE_VECTOR_COMPRESS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_COMPRESS_INL_H
#undef GRADWIRE_VECTOR_COMPRESS_INL_H
#else
#define GRADWIRE_VECTOR_COMPRESS_INL_H
#endif

#include "hwy/highway.h"
#include "kernels/vector/lanes_of.h"
#include "kernels/vector/row-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

/// The lanes of v where the mask says so, to the begin of `to`; all of a vector is written. Returns how many. T has
/// four bytes.
template <typename T>
HWY_INLINE size_t StoreWhere(hn::Mask<Tag<T>> where, Vec<T> v, T* to) {
  const Tag<T> d;
#if HWY_TARGET == HWY_AVX2
  const uint32_t bits = BitsOf<T>(where, 0);
  const auto lanes =
      hn::PromoteTo(Tag<uint32_t>(), hn::LoadU(hn::Rebind<uint8_t, Tag<uint32_t>>(), kLanesOf[bits].data()));
  hn::StoreU(hn::TableLookupLanes(v, hn::IndicesFromVec(d, lanes)), d, to);
  return static_cast<size_t>(__builtin_popcount(bits));
#else
  hn::StoreU(hn::Compress(v, where), d, to);
  return hn::CountTrue(d, where);
#endif
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
