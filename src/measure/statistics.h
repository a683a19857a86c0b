// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace gradwire {

/// A median, and an interval that holds the true one with 95 %.
struct Interval {
  double median = 0, low = 0, high = 0;
};

/// The median of independent values, and the closest pair of order statistics around it that holds the true median with
/// at least 95 % whatever the distribution (by the binomial one; David and Nagaraja, "Order Statistics", 2003, 7.1): of
/// 21 values the 6th and the 16th. Of fewer than six values, the least and the greatest, which hold less. Throws Error
/// for none.
Interval MedianInterval(std::vector<double> values);

/// That of a[i] / b[i], and of a[i] - b[i]: of what was measured in the same rounds.
Interval MedianOfRatios(const std::vector<double>& a, const std::vector<double>& b);
Interval MedianOfDifferences(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace gradwire
