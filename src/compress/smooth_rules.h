// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "compress/steps.h"

namespace gradwire {

/// What an operator of smoothness matrices gives the elements by, L_j being the diagonal of a worker's matrix.
enum class Weighing {
  kUniform,  ///< all alike
  kPlain,    ///< L_j: for gradients themselves (DCGD+)
  kShifted,  ///< 1 and L_j/(n mu): for differences to a shift that is learned beside (DIANA+)
};

/// What a rule knows of a worker and its problem.
struct SmoothWorker {
  std::span<const double> diagonal;  ///< L_j
  double n = 1;                      ///< workers
  double mu = 1;                     ///< strong convexity of f; read by kShifted alone
};

/// p_j = w_j / (w_j + rho) with rho such that they add up to `tau` (0 where all with w_j > 0 fit): of the weights w_j =
/// L_j or 1 + L_j/(n mu), Safaryan, Hanzely & Richtarik 2021, arXiv 2102.07245; kUniform: tau/d.
std::vector<double> ChancesOf(const SmoothWorker& worker, Weighing weighing, double tau);

/// The steps of Wang, Safaryan & Richtarik 2022, arXiv 2106.03524, at the price of QSGD with so many levels: ||h^-1|| =
/// levels sqrt(d). h_j = sqrt(sum_l a_l / a_j) / (levels sqrt(d)) with a_j = 1, L_j or sqrt(1 + (L_j/(n mu))^2).
QuantiserSteps StepsOf(const SmoothWorker& worker, Weighing weighing, double levels);

/// The same by blocks, min(n, d) of them, each with a norm and one step; kUniform is not among them.
QuantiserSteps BlockStepsOf(const SmoothWorker& worker, Weighing weighing, double levels);

/// Lt = max_j (1/p_j - 1) L_j.
double VarianceOf(std::span<const double> diagonal, std::span<const double> chances);
/// Lt, the largest ||diag(L_j h_j)|| of a block.
double VarianceOf(std::span<const double> diagonal, const QuantiserSteps& steps);

}  // namespace gradwire
