// SPDX-License-Identifier: Apache-2.0
#include "measure/statistics.h"

#include <algorithm>
#include <cmath>

#include "gradwire/error.h"

namespace gradwire {
namespace {

/// The greatest j for which at most 2.5 % of samples have fewer than j + 1 of n values below the median.
size_t Outside(size_t n) {
  double probability = std::pow(0.5, static_cast<double>(n)), below = probability;
  size_t j = 0;
  while (j + 1 < n / 2) {
    probability *= static_cast<double>(n - j) / static_cast<double>(j + 1);
    if (below + probability > 0.025) break;
    below += probability;
    ++j;
  }
  return j;
}

template <typename Join>
Interval OfPairs(const std::vector<double>& a, const std::vector<double>& b, Join&& join) {
  if (a.size() != b.size()) throw Error("two series of measurements differ in length");
  std::vector<double> joined(a.size());
  std::ranges::transform(a, b, joined.begin(), join);
  return MedianInterval(std::move(joined));
}

}  // namespace

Interval MedianInterval(std::vector<double> values) {
  if (values.empty()) throw Error("nothing was measured: there is no median of no values");
  std::ranges::sort(values);
  const size_t n = values.size(), j = Outside(n);
  return {(values[(n - 1) / 2] + values[n / 2]) / 2, values[j], values[n - 1 - j]};
}

Interval MedianOfRatios(const std::vector<double>& a, const std::vector<double>& b) {
  return OfPairs(a, b, [](double x, double y) { return x / y; });
}

Interval MedianOfDifferences(const std::vector<double>& a, const std::vector<double>& b) {
  return OfPairs(a, b, [](double x, double y) { return x - y; });
}

}  // namespace gradwire
