// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "kernels/candidates.h"
#include "kernels/scalar/add.h"

namespace gradwire::kernels::scalar {

template <typename T>
bool CollectLarge(const Source<T>& source, typename Bits<T>::Word least, size_t limit, Candidates<T>& found) {
  bool finite = true;
  T nowhere[kBlock];
  while (found.next < source.n && found.count <= limit) {
    const size_t first = found.next, n = std::min(kBlock, source.n - first);
    T* const block = source.left.empty() ? nowhere : source.left.data() + first;
    finite &= AddBlock(source, first, n, block);
    for (size_t i = 0; i < n; ++i) {
      found.values[found.count] = block[i];
      found.positions[found.count] = static_cast<uint32_t>(first + i);
      found.count += size_t{MagnitudeBits(block[i]) >= least};
    }
    found.next = first + n;
  }
  return finite;
}

/// By bisection between `least` and the largest magnitude: count(m) is how many are m or more, k or more for `least`.
/// It ends early where exactly k are: which is the k-th need not be known.
template <typename T, typename Count>
Threshold<T> Bisect(typename Bits<T>::Word least, typename Bits<T>::Word largest, size_t k, Count&& count) {
  typename Bits<T>::Word low = least, high = largest + 1;
  size_t above = 0;  // count(high)
  while (high - low > 1) {
    const auto middle = low + (high - low) / 2;
    const size_t found = count(middle);
    if (found == k) return {middle - 1, 0};
    if (found > k)
      low = middle;
    else
      high = middle, above = found;
  }
  return {low, k - above};
}

template <typename T>
Threshold<T> FindThreshold(std::span<const T> values, size_t k, typename Bits<T>::Word least) {
  using Word = typename Bits<T>::Word;
  Word largest = 0;
  for (const T x : values) largest = std::max(largest, MagnitudeBits(x));
  return Bisect<T>(least, largest, k, [&](Word from) {
    size_t count = 0;
    for (const T x : values) count += size_t{MagnitudeBits(x) >= from};
    return count;
  });
}

template <typename T>
void KeepLargest(Threshold<T> threshold, Candidates<T>& found) {
  size_t kept = 0;
  for (size_t j = 0; j < found.count; ++j) {
    const auto magnitude = MagnitudeBits(found.values[j]);
    const bool tied = magnitude == threshold.magnitude && threshold.ties > 0;
    threshold.ties -= size_t{tied};
    found.values[kept] = found.values[j];
    found.positions[kept] = found.positions[j];
    kept += size_t{tied || magnitude > threshold.magnitude};
  }
  found.count = kept;
}

}  // namespace gradwire::kernels::scalar
