// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "train/config/config.h"

namespace gradwire::train {

/// The last point of a convex run, in its output_dir, a number a line.
void WritePoint(const std::string& folder, std::span<const double> x);

/// That of analysis.reference. Throws ConfigError where there is none of `dimension` numbers.
std::vector<double> ReadReference(const Config& config, size_t dimension);

}  // namespace gradwire::train
