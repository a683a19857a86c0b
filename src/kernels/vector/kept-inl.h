// SPDX-License-Identifier: Apache-2.0
// Sums of kept elements that are streamed: stretch by stretch beside the result, which is written once.
#if defined(GRADWIRE_VECTOR_KEPT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_KEPT_INL_H
#undef GRADWIRE_VECTOR_KEPT_INL_H
#else
#define GRADWIRE_VECTOR_KEPT_INL_H
#endif

#include "hwy/cache_control.h"
#include "kernels/scalar/kept.h"
#include "kernels/vector/row-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

template <typename T>
void SumKept(std::span<const Kept<T>> all, Into into, std::span<T> out) {
  if (into != Into::kStream || !MayStream(out.data())) return scalar::SumKept(all, into, out);
  HWY_ALIGN T sum[scalar::kStretch];
  const auto some = all.first(HWY_MIN(all.size(), scalar::kMostKept));
  scalar::ForStretches<T>(some, out.size(), [&](size_t first, size_t n, auto&& add) HWY_ATTR {
    const size_t whole = n / kRow * kRow;
    const Row<T> zeros = ZeroRow<T>();
    for (size_t i = 0; i < n; i += kRow) StoreRow(zeros, sum + i);
    add(std::span<T>(sum, n));
    for (size_t i = 0; i < whole; i += kRow) StreamRow(LoadRow(sum + i), out.data() + first + i);
    std::copy(sum + whole, sum + n, out.data() + first + whole);
  });
  hwy::FlushStream();
  scalar::AddAllKept(all.subspan(some.size()), out);
}

template <typename T>
constexpr void PutKept(Table<T>& table) {
  table.SumKept = SumKept<T>;
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
