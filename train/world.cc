// SPDX-License-Identifier: Apache-2.0
#include "train/world.h"

#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "c10d/init.h"
#include "gradwire/timeout.h"

namespace gradwire::train {

StoreServer::StoreServer() {
  c10d::TCPStoreOptions options;
  options.port = 0;
  options.isServer = true;
  options.waitWorkers = false;
  auto store = c10::make_intrusive<c10d::TCPStore>("127.0.0.1", options);
  port_ = store->getPort();
  store_ = std::move(store);
}

World JoinWorld(const RankEnv& env, double timeout_s) {
  World world{JoinRanks(env, Milliseconds(timeout_s)), env, nullptr};
  world.exact = MakeC10dCollective(world.membership, "gradwire/exact");
  return world;
}

World AloneWorld(double timeout_s) {
  World world;
  world.membership = {c10::make_intrusive<c10d::HashStore>(), 0, 1, "127.0.0.1", Milliseconds(timeout_s)};
  world.places = {"this process"};
  world.group = MakeGlooGroup(world.membership, "gradwire/ddp");
  world.exact = MakeC10dCollective(world.membership, "gradwire/exact");
  return world;
}

void Leave(const World& world) {
  try {
    c10d::Store& store = *world.membership.store;
    std::vector<std::string> all;
    for (int rank = 0; rank < world.env.world_size; ++rank) all.push_back("left/" + std::to_string(rank));
    store.set(all[static_cast<size_t>(world.env.rank)], std::vector<uint8_t>{1});
    store.wait(all, world.membership.timeout);
  } catch (const std::exception&) {  // the rank that serves the store may have left already
  }
}

}  // namespace gradwire::train
