// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "problem/problem.h"

namespace gradwire {

using Workers = std::vector<std::shared_ptr<const FiniteSum>>;

/// The smallest and the largest eigenvalue of the mean of the workers' curvatures.
std::pair<double, double> Spectrum(std::span<const std::shared_ptr<const FiniteSum>> workers);

/// The problem with its constants; mu and mu_i are those of the curvatures, which is what they are of quadratics alone.
/// Throws ConfigError where one is not finite.
Problem Describe(Workers workers, std::vector<double> start);

/// With its minimiser, by Minimise.
Problem Solved(Problem problem);

}  // namespace gradwire
