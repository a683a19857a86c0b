// SPDX-License-Identifier: Apache-2.0
// Sums of kept elements that are streamed, beside the result, which is written once.
#if defined(GRADWIRE_VECTOR_KEPT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_KEPT_INL_H
#undef GRADWIRE_VECTOR_KEPT_INL_H
#else
#define GRADWIRE_VECTOR_KEPT_INL_H
#endif

#include <algorithm>

#include "hwy/cache_control.h"
#include "kernels/scalar/kept.h"
#include "kernels/vector/row-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

inline constexpr size_t kStretchRows = 128;  // two stretches of float and the payloads fit the first-level cache

/// Streams rows [from, to) of a sum, which become zeros again.
template <typename T>
HWY_INLINE void StreamRows(size_t from, size_t to, T* sum, T* out) {
  const Row<T> zeros = ZeroRow<T>();
  for (size_t i = from * kRow; i < to * kRow; i += kRow) {
    const Row<T> row = LoadRow(sum + i);
    StoreRow(zeros, sum + i);
    StreamRow(row, out + i);
  }
}

/// The payloads' elements go into one stretch while the one before is streamed, a share of it behind each payload: the
/// memory writes while sums are made, and neither waits for the other.
template <typename T>
HWY_INLINE void StreamKept(std::span<const Kept<T>> all, std::span<T> out) {
  constexpr size_t kStretch = kStretchRows * kRow;
  HWY_ALIGN T sums[2][kStretch] = {};
  size_t next[scalar::kMostKept] = {};
  size_t rows = 0;  // of the stretch before
  for (size_t first = 0, turn = 0; first < out.size() || rows > 0; first += kStretch, turn ^= 1) {
    const size_t n = first < out.size() ? HWY_MIN(kStretch, out.size() - first) : 0;
    T* const before = first < kStretch ? nullptr : out.data() + first - kStretch;
    for (size_t r = 0; r < all.size(); ++r) {
      if (n > 0) scalar::AddKept(all[r], next[r], first, std::span<T>(sums[turn], n));
      StreamRows(rows * r / all.size(), rows * (r + 1) / all.size(), sums[turn ^ 1], before);
    }
    if (all.empty()) StreamRows(0, rows, sums[turn ^ 1], before);
    rows = n / kRow;
    if (n % kRow > 0) std::copy(sums[turn] + rows * kRow, sums[turn] + n, out.data() + first + rows * kRow);
  }
  hwy::FlushStream();
}

template <typename T>
void SumKept(std::span<const Kept<T>> all, Into into, std::span<T> out) {
  if (into != Into::kStream || !MayStream(out.data())) return scalar::SumKept(all, into, out);
  const auto some = all.first(HWY_MIN(all.size(), scalar::kMostKept));
  StreamKept(some, out);
  scalar::AddAllKept(all.subspan(some.size()), out);
}

template <typename T>
constexpr void PutKept(Table<T>& table) {
  table.SumKept = SumKept<T>;
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
