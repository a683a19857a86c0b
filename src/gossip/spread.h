// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace gradwire {

/// Where the models are: a run without one mean has these two.
struct Spread {
  std::vector<double> average;  ///< of all workers' models
  double distance = 0;          ///< from it: sqrt(mean_i ||x_i - average||^2)
};

/// `models`: this process's, at least one, of as many elements each. `sum`: makes the sums over its workers those over
/// all workers.
template <typename T>
Spread SpreadOf(std::span<const std::span<const T>> models, const std::function<void(std::span<double>)>& sum);

}  // namespace gradwire
