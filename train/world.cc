// SPDX-License-Identifier: Apache-2.0
#include "train/world.h"

#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "c10d/init.h"
#include "gradwire/error.h"
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

void StoreNotes::Leave(const std::string& key, const std::string& text) try {
  world_.membership.store->compareSet(key, std::vector<uint8_t>{}, std::vector<uint8_t>(text.begin(), text.end()));
} catch (const std::exception& error) {
  Lost(error);
}

std::optional<std::string> StoreNotes::Read(const std::string& key) try {
  c10d::Store& store = *world_.membership.store;
  if (!store.check({key})) return std::nullopt;
  const std::vector<uint8_t> text = store.get(key);
  return std::string(text.begin(), text.end());
} catch (const std::exception& error) {
  Lost(error);
}

void StoreNotes::Lost(const std::exception& error) const {
  const RankEnv& env = world_.env;
  const std::string store = "the job's store at " + env.master_addr + ":" + std::to_string(env.master_port);
  throw PeerError(0, (env.store_is_served ? store + " does not answer" : "rank 0 is gone with " + store) +
                         ", says rank " + std::to_string(env.rank) + " (" + error.what() + ")");
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
