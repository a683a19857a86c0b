// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "driver/async.h"
#include "train/report/record.h"

namespace gradwire::train {

// What records of all kinds of runs have in common.

/// What asynchronous runs say of staleness: the largest, and how many applied gradients had which.
std::vector<Field> StalenessFields(const AsyncStats& stats);

/// A row of the table at the end of a run.
std::string TableRow(std::string_view name, std::string_view value);
std::string StalenessRow(const AsyncStats& stats);

}  // namespace gradwire::train
