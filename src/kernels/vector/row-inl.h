// SPDX-License-Identifier: Apache-2.0
// A row of 16 elements: the lanes of FORMAT.md's draws, a quarter of those of its sums, and a multiple of any vector
// here, so that kernels are written once for vectors of all widths.
#if defined(GRADWIRE_VECTOR_ROW_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_ROW_INL_H
#undef GRADWIRE_VECTOR_ROW_INL_H
#else
#define GRADWIRE_VECTOR_ROW_INL_H
#endif

#include <cstdint>
#include <cstring>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Of a lambda that is called from several places of a loop, whose captures are to be in registers.
#undef GRADWIRE_INLINED
#define GRADWIRE_INLINED HWY_ATTR __attribute__((always_inline))

inline constexpr size_t kRow = 16;

/// Vectors of T, of at most a row.
template <typename T>
using Tag = hn::CappedTag<T, kRow>;
template <typename T>
using Vec = hn::Vec<Tag<T>>;

template <typename T>
struct Row {
  static constexpr size_t kLanes = hn::MaxLanes(Tag<T>());
  static constexpr size_t kVectors = kRow / kLanes;
  Vec<T> v[kVectors];
};

/// A row of make(k), the k-th vector.
template <typename T, typename Make>
HWY_INLINE Row<T> Each(Make&& make) {
  Row<T> row;
  for (size_t k = 0; k < Row<T>::kVectors; ++k) row.v[k] = make(k);
  return row;
}

template <typename T>
HWY_INLINE Row<T> ZeroRow() {
  return Each<T>([](size_t) HWY_ATTR { return hn::Zero(Tag<T>()); });
}

template <typename T>
HWY_INLINE Row<T> LoadRow(const T* from) {
  return Each<T>([from](size_t k) HWY_ATTR { return hn::LoadU(Tag<T>(), from + k * Row<T>::kLanes); });
}

template <typename T>
HWY_INLINE void StoreRow(const Row<T>& row, T* to) {
  for (size_t k = 0; k < Row<T>::kVectors; ++k) hn::StoreU(row.v[k], Tag<T>(), to + k * Row<T>::kLanes);
}

/// The first n elements of a row; the others are 0.
template <typename T>
HWY_INLINE Row<T> LoadPart(const T* from, size_t n) {
  HWY_ALIGN T row[kRow] = {};
  std::memcpy(row, from, n * sizeof(T));
  return LoadRow(row);
}

template <typename T>
HWY_INLINE void StorePart(const Row<T>& row, T* to, size_t n) {
  HWY_ALIGN T all[kRow];
  StoreRow(row, all);
  std::memcpy(to, all, n * sizeof(T));
}

/// Past the caches, where MayStream; hwy::FlushStream() after the last one.
template <typename T>
HWY_INLINE void StreamRow(const Row<T>& row, T* to) {
  for (size_t k = 0; k < Row<T>::kVectors; ++k) hn::Stream(row.v[k], Tag<T>(), to + k * Row<T>::kLanes);
}

template <typename T>
HWY_INLINE bool MayStream(const T* to) {
  return reinterpret_cast<uintptr_t>(to) % (Row<T>::kLanes * sizeof(T)) == 0;
}

/// The mask of a row's k-th vector from a row of bits, and back.
template <typename T>
HWY_INLINE hn::Mask<Tag<T>> MaskOf(uint32_t bits, size_t k) {
#if HWY_TARGET == HWY_AVX3  // where masks are bits
  using Raw = decltype(hn::Mask<Tag<T>>::raw);
  return {static_cast<Raw>(bits >> (k * Row<T>::kLanes))};
#else
  const uint64_t of_vector = bits >> (k * Row<T>::kLanes) & ((uint32_t{1} << Row<T>::kLanes) - 1);
  uint8_t bytes[8];
  std::memcpy(bytes, &of_vector, 8);
  return hn::LoadMaskBits(Tag<T>(), bytes);
#endif
}

template <typename T>
HWY_INLINE uint32_t BitsOf(hn::Mask<Tag<T>> mask, size_t k) {
#if HWY_TARGET == HWY_AVX3
  return static_cast<uint32_t>(mask.raw) << (k * Row<T>::kLanes);
#else
  uint8_t bytes[8] = {};
  hn::StoreMaskBits(Tag<T>(), mask, bytes);
  return (bytes[0] | uint32_t{bytes[1]} << 8) << (k * Row<T>::kLanes);
#endif
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
