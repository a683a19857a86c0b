// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "driver/async.h"

namespace gradwire::train {

/// What records of asynchronous runs say of staleness: the largest, and how many applied gradients had which.
inline nlohmann::ordered_json StalenessJson(const AsyncStats& stats) {
  nlohmann::ordered_json histogram = nlohmann::ordered_json::object();
  for (const auto& [staleness, count] : stats.staleness) histogram[std::to_string(staleness)] = count;
  return {{"tau_max", stats.tau_max}, {"tau_c", stats.tau_c}, {"dropped", stats.dropped}, {"staleness", histogram}};
}

}  // namespace gradwire::train
