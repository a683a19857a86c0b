// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/rank_env.h"
#include "train/config.h"

namespace gradwire::train {

/// Trains as one rank of the job, from joining the others to the last evaluation. Throws what went wrong.
void TrainAsRank(const Config& config, const RankEnv& env);

}  // namespace gradwire::train
