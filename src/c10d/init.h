// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/rank_env.h"
#include "gradwire/c10d_init.h"

namespace gradwire {

/// The job's store, each of whose calls ends within the timeout, and this process's address, without meeting another
/// rank. Throws as JoinRanks does.
Membership ReachJob(const RankEnv& env, std::chrono::milliseconds timeout);

/// What a rank says of itself, in the job's store, before it meets the others.
struct Introduced {
  std::string place;     ///< "10.0.0.3 (eth0)"
  std::string settings;  ///< lines of text, or nothing
};

/// Leaves this rank's introduction in the store. Throws Error where another process has done so under its rank.
void Introduce(c10d::Store& store, int rank, const Introduced& own);
/// What a rank has said of itself, as soon as it is there. Throws PeerError where it is not within the timeout from
/// `begin` on.
Introduced AwaitIntroduced(const Membership& member, int rank,
                           std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now());

/// InitFromEnv for a rank whose environment has been read. `settings`: what it introduces itself with. `compare`: gets
/// those of each rank as they come, with the rank, the lowest first; may throw.
Job JoinRanks(const RankEnv& env, std::chrono::milliseconds timeout, const std::string& settings = "",
              const std::function<void(const Membership&, int rank, const std::string& settings)>& compare = {});

}  // namespace gradwire
