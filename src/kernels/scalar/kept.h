// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "gradwire/into.h"
#include "kernels/kept.h"
#include "kernels/scalar/add.h"

namespace gradwire::kernels::scalar {

/// Payloads that are summed at once; of more, the sum of the first ones is read again.
inline constexpr size_t kMostKept = 64;
/// Elements that lie in the first-level cache until all payloads are in their sum, so that each line is written once.
inline constexpr size_t kStretch = 4096;

/// Adds what is kept from the next-th element on and stands below first + sum.size(), where sum begins at `first`;
/// `next` moves on.
template <typename T>
void AddKept(const Kept<T>& kept, size_t& next, size_t first, std::span<T> sum) {
  const Kept<T> of = kept;  // a copy: for all that a compiler sees, sums could be stored into it
  size_t j = next;
  for (const size_t end = first + sum.size(); j < of.count && of.positions[j] < end; ++j)
    sum[of.positions[j] - first] += of.weight * (of.factor * ValueAt<T>(of.values, j));
  next = j;
}

/// Calls sum(first, n, add) for each stretch of n elements, where add(part) adds all payloads' elements to it, in
/// order.
template <typename T, typename Sum>
void ForStretches(std::span<const Kept<T>> all, size_t numel, Sum&& sum) {
  std::array<size_t, kMostKept> next{};
  for (size_t first = 0; first < numel; first += kStretch)
    sum(first, std::min(kStretch, numel - first), [&](std::span<T> part) {
      for (size_t r = 0; r < all.size(); ++r) AddKept(all[r], next[r], first, part);
    });
}

template <typename T>
void AddAllKept(std::span<const Kept<T>> all, std::span<T> out) {
  for (const Kept<T>& kept : all) {
    size_t next = 0;
    AddKept(kept, next, 0, out);
  }
}

template <typename T>
void SumKept(std::span<const Kept<T>> all, Into into, std::span<T> out) {
  const auto some = all.first(into == Into::kAdd ? 0 : std::min(all.size(), kMostKept));
  if (into != Into::kAdd)
    ForStretches<T>(some, out.size(), [&](size_t first, size_t n, auto&& add) {
      const std::span<T> part = out.subspan(first, n);
      std::ranges::fill(part, T{0});
      add(part);
    });
  AddAllKept(all.subspan(some.size()), out);
}

}  // namespace gradwire::kernels::scalar
