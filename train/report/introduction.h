// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "gradwire/parameter.h"
#include "train/config/config.h"
#include "train/data/dataset.h"

namespace gradwire::train {

/// What a run of a network says of itself at its beginning, a line each. `places`: of the ranks; in asynchronous runs
/// the server says who its workers are.
std::vector<std::string> Introduction(const Config& config, const Dataset& data, const std::vector<std::string>& places,
                                      const std::vector<Parameter>& parameters, int64_t total_steps);

}  // namespace gradwire::train
