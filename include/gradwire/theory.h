// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "gradwire/estimator.h"
#include "gradwire/method.h"
#include "gradwire/problem.h"

namespace gradwire {

/// What the formulas of step sizes are made of.
struct TheoryConstants {
  const Problem& problem;
  const ExchangeParts& parts;
  Piece piece;   ///< the point as the operators see it
  double n = 1;  ///< workers whose operators draw independently: 1 where all draw alike
};

/// A constant step size for a method with an estimator: proven by its source, or what its authors ran.
struct Theory {
  std::string_view method;     ///< a row of Methods()
  std::string_view estimator;  ///< EstimatorConfig::name
  std::string_view formula;  ///< for people; L: of f, Lmax: the largest L_i, Lrms^2: the mean of L_i^2, Lil: of samples
  std::string_view source;
  double (*step)(const TheoryConstants& constants) = nullptr;
};

/// Every step size that is known. What is not here has no usable theory.
const std::vector<Theory>& Theories();

/// The step size gamma of the formula, in the units of x / gradient. The link's own coefficients are taken to be the
/// method's usual ones, except where they stand in the formula. Throws ConfigError ("optimizer.lr: theory: ...") where
/// there is no formula, an operator lacks the constant it needs, or the constants leave no step.
double TheoryStep(const Method& method, const ExchangeParts& parts, const Problem& problem,
                  const EstimatorConfig& estimator);

}  // namespace gradwire
