// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "driver/alpha_beta.h"
#include "train/report/report.h"

namespace gradwire::train {

/// Says what was seen, and writes alpha_beta.csv and alpha_beta.svg into the folder: the least beta for each alpha.
/// Throws Error where a file cannot be written.
void WriteAlphaBeta(const AlphaBetaMeter& seen, const std::string& folder, Report& report);

}  // namespace gradwire::train
