// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "analysis/ensemble.h"
#include "analysis/models.h"

namespace gradwire {

/// A stationary level that the method itself is simulated for.
struct ScaleLevel {
  std::string group;  ///< levels that are compared: with the first one of their group
  std::string name;   ///< what was changed
  std::string method;
  MethodSettings settings;
  Quantity quantity = Quantity::kSecond;  ///< or kVariance, of one coordinate, since the mean is 0
  double exact = 0;                       ///< of the method's steps where there is a formula, else of its SDE
  double tolerance = 0;                   ///< relative: how far from it the method may be
  bool keeps = false;                     ///< whether a rule says that it is the group's first one
  std::string scaled = {};                ///< for the picture: what was scaled for omega; empty: no part of it
  double omega = 0;                       ///< of the operator
};

/// Levels before and after changes: DCSGD with rand-k of 10 elements, for each k by itself and with eta, N or B scaled
/// for it; DSignSGD with twice the workers and four times the batch; AdamW and RMSpropW with four times the batch by
/// either rule.
std::vector<ScaleLevel> ScaleLevels();

/// The level of the method's steps: exact for linear drifts without momentum, else that of the SDE. Per coordinate for
/// kVariance.
double ExactLevel(const std::string& method, const MethodSettings& settings, Quantity quantity);

/// The simulated level: the mean over the second half of ten relaxation times of x^2 from 0, and over the paths.
Estimate SimulateLevel(const ScaleLevel& level, size_t paths, uint64_t seed, size_t threads);

/// A level, what was found, and whether it is as it should be.
struct ScaleOutcome {
  ScaleLevel level;
  Estimate found, of_first;  ///< of_first: over the group's first one
  bool holds = false;        ///< near the formula; near the first one where a rule says so, and only there
};

/// Simulates all of ScaleLevels(). `errors` so many standard errors are allowed beside the tolerances.
std::vector<ScaleOutcome> RunScaleSweep(size_t paths, uint64_t seed, size_t threads, double errors = 0);

}  // namespace gradwire
