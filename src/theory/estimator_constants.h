// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "estimate/estimator.h"
#include "problem/problem.h"

namespace gradwire {

/// What is known of an estimator g of grad f(x), whose memory is sigma^2 away from that of x*, with D = f(x) - f(x*) -
/// <grad f(x*), x - x*> (Gorbunov, Hanzely, Richtarik 2020, arXiv 1905.11261, assumption 4.1 and table 2):
///
///     E ||g - grad f(x*)||^2 <= 2 A D + B sigma^2 + D1
///     E sigma'^2 <= (1 - rho) sigma^2 + 2 C D + D2
struct EstimatorConstants {
  double a = 0, b = 0, rho = 1, c = 0, d1 = 0, d2 = 0;

  /// Theorem 4.1 for M = 2 B/rho: 1/(A + C M). With D1 or D2 it ends in a neighbourhood of x*.
  double Step() const { return 1 / (a + 2 * c * b / rho); }
};

/// An estimator's row of that table, its numbers in words: Li of the worker, L = max c_l L_il of its samples, c_l of
/// the sampling (Sampling::Spread; 1 where all are alike), p_l that a round draws a sample, s^2 of the oracle's noise,
/// v^2 the mean of c_l ||grad f_l(x*)||^2.
struct EstimatorConstantsRow {
  std::string_view estimator, constants, sigma;
};
const std::vector<EstimatorConstantsRow>& EstimatorConstantsRows();

/// Of one worker's estimator of grad f_i. Throws Error where the estimator has no row or x* is not known.
EstimatorConstants ConstantsOf(const Problem& problem, size_t worker, const EstimatorConfig& estimator);

/// Of the mean over the workers, whose second moments and memories are at most the means of theirs.
EstimatorConstants ConstantsOf(const Problem& problem, const EstimatorConfig& estimator);

/// The largest c_l L_il over the workers' samples; without x*.
double SampledSmoothness(const Problem& problem, const EstimatorConfig& estimator);

}  // namespace gradwire
