// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "analysis/ensemble.h"
#include "analysis/models.h"

namespace gradwire {

/// A method and its SDE side by side.
struct SdeRun {
  std::string method;
  MethodSettings settings;
  double time = 5;  ///< a multiple of eta
  double dt = 0;    ///< of the integrator; 0: eta
  size_t paths = 20000;
  uint64_t seed = 1;
  size_t threads = 1;  ///< changes no number
};

/// Paths of the method and of its SDE, recorded at the same times, the last of which is the run's end.
struct SdeResult {
  Ensemble discrete, integrated;

  size_t end() const { return discrete.times().size() - 1; }
};

/// Throws ConfigError as the checks of models.h do, for a time that is no multiple of eta, and for what would take more
/// than 1e12 steps of a coordinate.
SdeResult RunSde(const SdeRun& run);

/// SDE / method, with the error of the quotient of two independent estimates.
Estimate Quotient(const Estimate& integrated, const Estimate& discrete);

}  // namespace gradwire
