// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/rank_env.h"
#include "gradwire/c10d_init.h"

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

/// The ranks of the job; the group is DDP's own.
struct World : Job {
  RankEnv env;
  std::unique_ptr<Collective> exact;  ///< for metrics and buffers; the main thread's
};

/// Joins the other ranks, within the timeout. Throws ConfigError or Error.
World JoinWorld(const RankEnv& env, double timeout_s);

/// A job of this process alone, on a store of its own: for what needs ranks and has none.
World AloneWorld(double timeout_s);

/// Waits until every rank has called it, so that no rank closes connections which another one still uses. Bounded by
/// the timeout; a rank that is gone by then is none of its concern.
void Leave(const World& world);

}  // namespace gradwire::train
