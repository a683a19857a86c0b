// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <thread>

#include "base/rank_env.h"
#include "gradwire/c10d_group.h"
#include "train/config/config.h"

namespace gradwire::train {

/// Works for the server of an asynchronous run until it says that the run is over: as the rank of `env`, or as one that
/// joins where config.run.join says HOST:PORT. Returns the exit code: 0, or 128 + the signal that stops the run where
/// runs are saved. Throws Error where the server is gone, and what building a rank throws.
int RunAsyncWorker(const Config& config, const RankEnv& env);

/// A worker in a thread of the server's process, for async.server: shared. It ends like any other one.
class OwnWorker {
 public:
  /// `member`: the server's, whose store it clones. The configuration outlives it.
  OwnWorker(const Config& config, const RankEnv& env, Membership member);

 private:
  std::jthread works_;
};

/// The environment of a worker that joins. Throws ConfigError where `where` is not HOST:PORT.
RankEnv JoinEnv(const std::string& where);

}  // namespace gradwire::train
