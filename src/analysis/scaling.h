// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

namespace gradwire {

/// A change of a run: each is a factor of what it was, but omega, which is that of the operator before and after.
struct ScaleChange {
  double kappa = 1;                          ///< of the step size eta
  double delta = 1;                          ///< of a worker's batch B
  double alpha = 1;                          ///< of the workers N
  double omega_before = 0, omega_after = 0;  ///< after: beta omega_before in the papers
};

/// One setting to multiply by a factor.
struct ScaleStep {
  std::string_view setting;  ///< "eta", "batch", "workers", "1 - beta1", "1 - beta2", "decay"
  double factor = 1;
};

/// What to do beside a change, all of it.
using ScaleRemedy = std::vector<ScaleStep>;

/// A scaling rule, a row.
struct ScalingRule {
  std::string_view name;
  std::vector<std::string_view> methods;  ///< of SdeModels()
  std::string_view keeps;                 ///< the reference: what stays as it is
  std::string_view formula, source;
  bool has_workers = true;  ///< whether the rule says anything about the workers
  /// What keeps the reference after a change: ways to choose from.
  std::vector<ScaleRemedy> (*remedies)(const ScaleChange& change);
};

const std::vector<ScalingRule>& ScalingRules();

/// The rules of a method. Throws ConfigError with the methods that have one.
std::vector<ScalingRule> RulesOf(std::string_view method);

/// The change together with one that keeps the operator.
ScaleChange After(ScaleChange change, const ScaleRemedy& remedy);

}  // namespace gradwire
