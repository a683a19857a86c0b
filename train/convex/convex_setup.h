// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "problem/problem.h"
#include "train/config/config.h"

namespace gradwire::train {

/// What an objective.name other than network stands for. Immutable: ranks that are threads share it.
struct ConvexSetup {
  std::shared_ptr<const Problem> problem;  ///< its minimiser is that of f + R
  Prox prox;                               ///< R
  std::vector<std::string> notes = {};     ///< what a run says of it at start, a line each
};

/// Builds the problem for so many workers and solves it. Throws ConfigError, with the place of the key, where the data
/// are not there, are malformed or do not fit the number of workers.
ConvexSetup PrepareConvex(const Config& config, size_t workers);

}  // namespace gradwire::train
