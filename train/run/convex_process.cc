// SPDX-License-Identifier: Apache-2.0
#include "train/run/convex_process.h"

#include "train/config/settings.h"
#include "train/convex/convex.h"
#include "train/join/world.h"

namespace gradwire::train {

int RunConvexAsRank(const Config& config, const RankEnv& env) {
  const ConvexSetup setup = PrepareConvex(config, static_cast<size_t>(env.world_size));
  const World world = JoinWorld(env, config.comm.timeout_s, RankSettingsText(config));
  StoreNotes notes(world);
  const std::unique_ptr<StopSignal> stop = StopOf(config);
  const int exit_code = RunConvexRank(config, setup, *world.exact, notes, stop.get());
  Leave(world);
  return exit_code;
}

}  // namespace gradwire::train
