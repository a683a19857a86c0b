// SPDX-License-Identifier: Apache-2.0
#include "train/convex_process.h"

#include "train/convex.h"
#include "train/world.h"

namespace gradwire::train {

void RunConvexAsRank(const Config& config, const RankEnv& env) {
  const ConvexSetup setup = PrepareConvex(config, static_cast<size_t>(env.world_size));
  const World world = JoinWorld(env, config.comm.timeout_s);
  RunConvexRank(config, setup, *world.exact);
  Leave(world);
}

}  // namespace gradwire::train
