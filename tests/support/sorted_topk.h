// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "support/operators.h"

namespace gradwire::testing {

template <typename T>
std::vector<T> TopK(const std::string& amount, const std::vector<T>& x) {
  return Apply(*ParseCompressor("topk:" + amount), SiteOf(Piece::Whole(x.size())), x);
}

/// By a stable sort: larger magnitudes first, equal ones in the order of their positions.
template <typename T>
std::vector<T> Reference(size_t k, const std::vector<T>& x) {
  std::vector<size_t> order(x.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t i, size_t j) { return std::abs(x[i]) > std::abs(x[j]); });
  std::vector<T> kept(x.size());
  for (size_t j = 0; j < std::min(k, x.size()); ++j) kept[order[j]] = x[order[j]];
  return kept;
}

}  // namespace gradwire::testing
