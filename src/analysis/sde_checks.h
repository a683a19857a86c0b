// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/sde_run.h"

namespace gradwire {

/// A number that a run has to give at its end.
struct SdeCheck {
  Quantity quantity;
  std::optional<double> paper;  ///< empty: the method and its SDE have to agree
  double tolerance = 0;         ///< how far from it: of the number itself where relative
  bool relative = true;
  std::string from;  ///< the formula of the number
};

/// A run with its checks, a row.
struct SdeExperiment {
  std::string name;
  SdeRun run;
  std::vector<SdeCheck> checks;
};

/// What the papers' formulas say, at the settings of their checks.
const std::vector<SdeExperiment>& SdeExperiments();

/// A check and what came of it.
struct SdeVerdict {
  SdeCheck check;
  Estimate discrete, integrated, quotient;
  bool holds = false;
};

/// Both the method and its SDE must be as near to the paper's number as the check says; where there is none, the
/// quotient of the two to 1. `errors` so many standard errors are allowed beside the tolerance.
SdeVerdict Judge(const SdeCheck& check, const SdeResult& result, double errors = 0);

}  // namespace gradwire
