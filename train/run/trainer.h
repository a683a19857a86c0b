// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/rank_env.h"
#include "train/config/config.h"

namespace gradwire::train {

/// Trains as one rank of the job, from joining the others to the last evaluation. Returns the exit code: 0, or 128 +
/// the signal after which all ranks have saved and stopped. Throws what went wrong.
int TrainAsRank(const Config& config, const RankEnv& env);

}  // namespace gradwire::train
