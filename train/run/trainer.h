// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/rank_env.h"
#include "train/config/config.h"

namespace gradwire::train {

/// Runs a configuration as one rank of the job, from joining the others to the last record: a network, as a rank of
/// rounds, a server or one of its workers, or a convex problem. Returns the exit code: 0, or 128 + the signal after
/// which all ranks have saved and stopped. Throws what went wrong.
int RunAsRank(const Config& config, const RankEnv& env);

}  // namespace gradwire::train
