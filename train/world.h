// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/rank_env.h"
#include "gradwire/c10d_group.h"

namespace gradwire::train {

/// Serves a TCPStore on a free port of this machine for the ranks that RunLocalRanks starts.
class StoreServer {
 public:
  StoreServer();
  int port() const { return port_; }

 private:
  c10::intrusive_ptr<c10d::Store> store_;
  int port_;
};

/// The ranks of the job, as this one sees them.
struct World {
  RankEnv env;
  Membership membership;
  c10::intrusive_ptr<c10d::ProcessGroup> group;  ///< for DDP's own messages
  std::unique_ptr<Collective> exact;             ///< for metrics and buffers; the main thread's
  std::vector<std::string> places;               ///< by rank: "10.0.0.3 (eth0)"
};

/// Joins the other ranks, within the timeout. Throws ConfigError or Error.
World JoinWorld(const RankEnv& env, double timeout_s);

/// Waits until every rank has called it, so that no rank closes connections which another one still uses. Bounded by
/// the timeout; a rank that is gone by then is none of its concern.
void Leave(const World& world);

}  // namespace gradwire::train
