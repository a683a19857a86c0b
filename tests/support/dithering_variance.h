// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "support/variance.h"

namespace gradwire::testing {

inline double NormP(const std::vector<double>& x, const std::string& p) {
  double sum = 0, largest = 0;
  for (const double v : x) sum += p == "1" ? std::abs(v) : v * v, largest = std::max(largest, std::abs(v));
  return p == "1" ? sum : p == "2" ? std::sqrt(sum) : largest;
}

/// (r/s)^2 sum f_j (1 - f_j) / ||x||^2, with r = ||x||_p and f_j the fraction of s |x_j| / r.
inline double DitheringVariance(const std::vector<double>& x, const std::string& p, int s) {
  const double r = NormP(x, p);
  double sum = 0;
  for (const double v : x) {
    const double y = s * std::abs(v) / r, f = y - std::floor(y);
    sum += f * (1 - f);
  }
  return r * r / s / s * sum / static_cast<double>(SquaredNorm(x));
}

}  // namespace gradwire::testing
