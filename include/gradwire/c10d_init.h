// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "gradwire/c10d_group.h"

namespace gradwire {

/// The ranks of the job, as this one sees them.
struct Job {
  Membership membership;  ///< rank and world size; what every further group is made of
  int local_rank = 0;     ///< among the ranks of this host
  int local_world_size = 1;
  std::vector<std::string> places;               ///< by rank: "10.0.0.3 (eth0)"
  c10::intrusive_ptr<c10d::ProcessGroup> group;  ///< over Gloo, for DDP's own messages; CPU tensors
};

/// Joins the other ranks that torchrun, or whoever sets its environment variables, has started:
///
///     const gradwire::Job job = gradwire::InitFromEnv();
///     auto collective = gradwire::MakeC10dCollective(job.membership, "gradients");
///     gradwire::DistributedDataParallel ddp(model, job.group, std::move(collective), {.comm = {.method = "ef"}});
///
/// Reads RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT, all of which must be set.
/// TORCHELASTIC_USE_AGENT_STORE=True says that the launcher serves the store there; otherwise rank 0 does, and should
/// be the last to leave (`job.group->barrier()->wait()`). Binds the interface named by GLOO_SOCKET_IFNAME, else the one
/// that routes to MASTER_ADDR.
///
/// `timeout`: for each wait, here and in the groups that are made of the membership. Throws ConfigError where the
/// environment is incomplete or cannot work, PeerError for the first rank that did not come within the timeout, and
/// Error where the store or the ranks cannot be reached. Called once, by all ranks alike, before any other thread works
/// with the job.
Job InitFromEnv(std::chrono::milliseconds timeout = std::chrono::minutes(5));

}  // namespace gradwire
