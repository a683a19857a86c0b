// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "estimate/estimator.h"
#include "gradwire/method.h"
#include "problem/problem.h"

namespace gradwire {

/// What the formulas of step sizes are made of.
struct TheoryConstants {
  const Problem& problem;
  const ExchangeParts& parts;
  const EstimatorConfig& estimator;
  Piece piece;   ///< the point as the operators see it
  double n = 1;  ///< workers whose operators draw independently: 1 where all draw alike
};

/// A constant step size for a method with an estimator that its source proves; or that there is none, and why.
struct Theory {
  std::string_view method;     ///< a row of Methods()
  std::string_view estimator;  ///< EstimatorConfig::name
  std::string_view formula;  ///< for people; L: of f, Lmax: the largest L_i, Lrms^2: the mean of L_i^2, Lil: of samples
  std::string_view source;
  double (*step)(const TheoryConstants& constants) = nullptr;  ///< null: `formula` says why there is none
  bool strongly_convex = true;                                 ///< of f alone; false: the theorem needs no convexity
  bool regularised = false;                                    ///< the theorem allows a regulariser outside f
  /// Sets the link's coefficients that `comm` leaves to the method to those of the theorem.
  void (*set)(const TheoryConstants& constants, const CommConfig& comm, ExchangeParts& parts) = nullptr;
  bool noisy = false;  ///< the theorem allows objective.noise, and its step counts it in
};

/// Every step size that is known. What is not here has no usable theory.
const std::vector<Theory>& Theories();

/// Before TheoryStep: coefficients that `comm` leaves to the method become those that the theorem asks for. Nothing
/// where there is no theorem.
void TakeTheoryCoefficients(const Method& method, const CommConfig& comm, const Problem& problem,
                            const EstimatorConfig& estimator, ExchangeParts& parts);

/// The step size gamma of the formula, in the units of x / gradient. Throws ConfigError ("optimizer.lr: theory: ...")
/// where there is no theorem for the method with this estimator, problem and coefficients, an operator lacks the
/// constant it needs, or the constants leave no step.
double TheoryStep(const Method& method, const ExchangeParts& parts, const Problem& problem,
                  const EstimatorConfig& estimator);

}  // namespace gradwire
