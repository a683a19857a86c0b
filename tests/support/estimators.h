// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>

#include "estimate/estimator.h"

namespace gradwire::testing {

inline std::shared_ptr<const Problem> Share(Problem problem) { return std::make_shared<Problem>(std::move(problem)); }

/// An estimator's configuration with its name and its samples, and nothing else.
inline EstimatorConfig Named(const char* name, const char* sampling = "uniform", int64_t batch = 1) {
  EstimatorConfig config;
  config.name = name;
  config.sampling = sampling;
  config.batch = batch;
  return config;
}

}  // namespace gradwire::testing
