// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

#include "analysis/sde_run.h"

namespace gradwire::train {

/// Exit code where a check does not hold and --check was given.
inline constexpr int kCheckMissed = 3;

struct AnalyseSdeOptions {
  std::string problem = "quadratic";
  std::string noise = "gaussian";
  size_t dimension = 0;    ///< times that the one curvature counts; 0: as many as were given
  SdeRun run;              ///< its method empty: the table of checks
  bool check = false;      ///< of the table: the exit code says whether all hold
  std::string plot, json;  ///< files to write; empty: none
};

/// `gradwire analyse sde`: a method on a quadratic beside its SDE, or the papers' checks. Returns the exit code. Throws
/// ConfigError, which names the option.
int AnalyseSde(const AnalyseSdeOptions& options, std::ostream& out);

}  // namespace gradwire::train
