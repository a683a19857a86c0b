// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace gradwire::testing {

/// Wangni et al.'s algorithm 3 in its plainest form.
inline std::vector<double> GreedyProbabilities(const std::vector<double>& x, double k) {
  double norm = 0;
  for (const double v : x) norm += std::abs(v);
  std::vector<double> p;
  for (const double v : x) p.push_back(std::min(k * std::abs(v) / norm, 1.0));
  for (int round = 0; round < 4; ++round) {
    double ones = 0, sum = 0;
    for (const double v : p) (v == 1 ? ones : sum) += v;
    if (!(sum > 0 && (k - ones) / sum > 1)) break;
    for (double& v : p) v = std::min(v * (k - ones) / sum, 1.0);
  }
  return p;
}

}  // namespace gradwire::testing
