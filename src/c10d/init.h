// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "base/rank_env.h"
#include "gradwire/c10d_init.h"

namespace gradwire {

/// The job's store and this process's address, without meeting another rank. Throws as JoinRanks does.
Membership ReachJob(const RankEnv& env, std::chrono::milliseconds timeout);

/// InitFromEnv for a rank whose environment has been read.
Job JoinRanks(const RankEnv& env, std::chrono::milliseconds timeout);

}  // namespace gradwire
