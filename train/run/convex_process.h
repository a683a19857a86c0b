// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/rank_env.h"
#include "train/config/config.h"

namespace gradwire::train {

/// Runs a convex objective as one rank of the job, from joining the others to the last record. The exit code; throws
/// what went wrong.
int RunConvexAsRank(const Config& config, const RankEnv& env);

}  // namespace gradwire::train
