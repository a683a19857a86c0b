// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "problem/problem.h"

namespace gradwire {

using Workers = std::vector<std::shared_ptr<const FiniteSum>>;

/// Throws ConfigError where there are fewer samples than workers, or more columns than constants can be made for.
void CheckSamples(const LabelledRows& rows, size_t workers);

/// Workers by make(first, last) of n contiguous blocks of so many samples; the first blocks are longer by one where
/// they do not come out even.
template <typename Make>
Workers Deal(size_t samples, size_t n, const Make& make) {
  Workers workers;
  const size_t share = samples / n, longer = samples % n;
  for (size_t i = 0, first = 0; i < n; ++i) {
    const size_t last = first + share + (i < longer ? 1 : 0);
    workers.push_back(make(first, last));
    first = last;
  }
  return workers;
}

/// The smallest and the largest eigenvalue of the mean of the workers' curvatures.
std::pair<double, double> Spectrum(std::span<const std::shared_ptr<const FiniteSum>> workers);

/// The problem with its constants; mu and mu_i are those of the curvatures, which is what they are of quadratics alone.
/// Throws ConfigError where one is not finite.
Problem Describe(Workers workers, std::vector<double> start);

/// With its minimiser, by Minimise.
Problem Solved(Problem problem);

}  // namespace gradwire
