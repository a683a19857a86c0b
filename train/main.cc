// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <iostream>

#include "base/rank_env.h"
#include "base/text.h"
#include "gradwire/error.h"
#include "train/async/async_worker_run.h"
#include "train/bench_ranks/rank.h"
#include "train/config/modes.h"
#include "train/join/async_meeting.h"
#include "train/join/world.h"
#include "train/launch/launch.h"
#include "train/program.h"
#include "train/run/trainer.h"

namespace gradwire::train {
namespace {

int Launch(const Config& config, int argc, const char* const* argv) {
  const StoreServer store;
  LaunchOptions options;
  options.nproc = config.run.nproc;
  options.master_port = store.port();
  options.grace_s = config.comm.timeout_s + 5;
  if (config.checkpoint.is_on()) options.save_s = config.comm.timeout_s;
  if (ModeOf(config).has_server) {  // one that had not come yet is not waited for
    options.worker_failed = [&](int rank, const std::string& how) { ExcuseFrom(store.store(), rank, how); };
    options.server_hears = [&] { return HasMetAll(store.store()); };
  }
  options.arguments.assign(argv, argv + argc);
  return RunLocalRanks(options);
}

/// A rank of the job. After a failure the process ends at once: nothing that is left would be of use, and the other
/// ranks wait to see this one's connections close.
int BeRank(const Config& config, const RankEnv& env) {
  try {
    return RunAsRank(config, env);
  } catch (const std::exception& error) {
    const std::string who = env.rank < 0 ? "worker" : "rank " + std::to_string(env.rank);
    std::cerr << who + ": error: " + Printable(error.what()) + "\n" << std::flush;
    const auto* peer = dynamic_cast<const PeerError*>(&error);
    LeaveAfterFailure(peer != nullptr ? peer->rank() : -1);
    std::_Exit(dynamic_cast<const ConfigError*>(&error) ? kBadConfig : 1);
  }
}

int RunRanks(const Config& config, int argc, const char* const* argv) {
  if (!config.run.join.empty()) return BeRank(config, JoinEnv(config.run.join));
  const auto env = RankFromEnv();
  return env ? BeRank(config, *env) : Launch(config, argc, argv);
}

}  // namespace
}  // namespace gradwire::train

int main(int argc, char** argv) {
  using namespace gradwire::train;
  return RunProgram(argc, argv, RunRanks, DdpDoor(argc, argv));
}
