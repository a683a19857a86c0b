// SPDX-License-Identifier: Apache-2.0
// Products of a matrix's rows with a few vectors: a load of a vector is for four rows.
#if defined(GRADWIRE_VECTOR_FACTORS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_FACTORS_INL_H
#undef GRADWIRE_VECTOR_FACTORS_INL_H
#else
#define GRADWIRE_VECTOR_FACTORS_INL_H
#endif

#include "hwy/highway.h"
#include "kernels/scalar/factors.h"
#include "kernels/vector/add-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

/// The lanes of a row, those 8 apart added, then those 4 apart, ...
template <typename T>
HWY_INLINE T FoldRow(const Row<T>& row) {
  auto lanes = row.v[0];
  if constexpr (Row<T>::kVectors == 2) lanes = hn::Add(row.v[0], row.v[1]);
  if constexpr (Row<T>::kVectors == 4) lanes = hn::Add(hn::Add(row.v[0], row.v[2]), hn::Add(row.v[1], row.v[3]));
  if constexpr (Row<T>::kVectors == 8)
    lanes = hn::Add(hn::Add(hn::Add(row.v[0], row.v[4]), hn::Add(row.v[2], row.v[6])),
                    hn::Add(hn::Add(row.v[1], row.v[5]), hn::Add(row.v[3], row.v[7])));
  return FoldLanes(Tag<T>(), lanes);
}

/// Vectors of the elements' sums that a register file has room for, beside what is loaded.
template <typename T>
inline constexpr size_t kSums = HWY_TARGET == HWY_AVX3 ? 16 : 8;

/// The products of kRows rows with kRanks vectors.
template <size_t kRows, size_t kRanks, typename T>
HWY_INLINE void ProjectTile(const T* m, const Factors<T>& factors, size_t rank, size_t to) {
  const size_t n = factors.cols, whole = n / kRow * kRow;
  const T* const q = factors.q_of(rank);
  Row<T> sums[kRows][kRanks];
  for (auto& of_row : sums)
    for (Row<T>& sum : of_row) sum = ZeroRow<T>();
  const auto add = [&](auto&& load) GRADWIRE_INLINED {
    Row<T> rows[kRows];
    for (size_t i = 0; i < kRows; ++i) rows[i] = load(m + i * n);
    for (size_t r = 0; r < kRanks; ++r) {
      const Row<T> of_q = load(q + r * n);
      for (size_t i = 0; i < kRows; ++i)
        for (size_t k = 0; k < Row<T>::kVectors; ++k)
          sums[i][r].v[k] = hn::Add(sums[i][r].v[k], hn::Mul(rows[i].v[k], of_q.v[k]));
    }
  };
  for (size_t j = 0; j < whole; j += kRow) add([j](const T* from) GRADWIRE_INLINED { return LoadRow(from + j); });
  if (whole < n) add([=](const T* from) GRADWIRE_INLINED { return LoadPart(from + whole, n - whole); });
  for (size_t i = 0; i < kRows; ++i)
    for (size_t r = 0; r < kRanks; ++r) factors.p_of(rank + r)[to + i] = FoldRow(sums[i][r]);
}

/// Rows in fours, ranks by as many as there are registers for, then one by one.
template <size_t kRows, typename T>
HWY_INLINE void ProjectAll(const T* m, const Factors<T>& factors, size_t to) {
  constexpr size_t kRanks = kSums<T> / Row<T>::kVectors / kRows;
  size_t r = 0;
  if constexpr (kRanks > 1)
    for (; r + kRanks <= factors.rank; r += kRanks) ProjectTile<kRows, kRanks>(m, factors, r, to);
  for (; r < factors.rank; ++r) ProjectTile<kRows, 1>(m, factors, r, to);
}

template <typename T>
void ProjectRows(std::span<const T> m, const Factors<T>& factors, size_t first) {
  constexpr size_t kRows = HWY_MAX(size_t{1}, HWY_MIN(size_t{4}, kSums<T> / Row<T>::kVectors));
  const size_t rows = factors.cols > 0 ? m.size() / factors.cols : 0;
  size_t i = 0;
  for (; i + kRows <= rows; i += kRows) ProjectAll<kRows>(m.data() + i * factors.cols, factors, first + i);
  for (; i < rows; ++i) ProjectAll<1>(m.data() + i * factors.cols, factors, first + i);
}

template <typename T>
constexpr void PutFactors(Table<T>& table) {
  table.ProjectRows = ProjectRows<T>;
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
