// SPDX-License-Identifier: Apache-2.0
#include "c10d/init.h"

#include <cstdlib>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "base/network_interface.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

c10::intrusive_ptr<c10d::Store> ReachStore(const RankEnv& env, std::chrono::milliseconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(env.master_port);
  options.isServer = env.rank == 0 && !env.store_is_served;
  options.waitWorkers = false;
  options.timeout = timeout;
  try {
    return c10::make_intrusive<c10d::TCPStore>(env.master_addr, options);
  } catch (const std::exception& error) {
    const std::string why = error.what();
    throw Error((env.rank < 0 ? "this process" : "rank " + std::to_string(env.rank)) + " cannot " +
                (options.isServer ? "serve" : "reach") + " the store at MASTER_ADDR:MASTER_PORT = " + env.master_addr +
                ":" + std::to_string(env.master_port) + " within " + std::to_string(timeout.count()) + " ms (" +
                why.substr(0, why.find('\n')) + ")");  // its further lines are torch's stack
  }
}

/// The agent's store outlives ranks that torchrun starts again: without a prefix they would find the keys of those that
/// failed. Python's env:// does the same.
c10::intrusive_ptr<c10d::Store> OfThisAttempt(const RankEnv& env, c10::intrusive_ptr<c10d::Store> store) {
  const char* attempt = std::getenv("TORCHELASTIC_RESTART_COUNT");
  if (!env.store_is_served || attempt == nullptr) return store;
  return c10::make_intrusive<c10d::PrefixStore>(std::string("gradwire/attempt_") + attempt, std::move(store));
}

/// Every rank's place, through the store: the first message of all, so that a rank that was not started has its name.
std::vector<std::string> GatherPlaces(c10d::Store& store, const RankEnv& env, const std::string& mine) {
  store.set("place/" + std::to_string(env.rank), std::vector<uint8_t>(mine.begin(), mine.end()));
  std::vector<std::string> places;
  for (int rank = 0; rank < env.world_size; ++rank) {
    try {
      const std::vector<uint8_t> place = store.get("place/" + std::to_string(rank));
      places.emplace_back(place.begin(), place.end());
    } catch (const std::exception&) {
      throw PeerError(rank, "rank " + std::to_string(rank) + " of " + std::to_string(env.world_size) +
                                " has not joined, says rank " + std::to_string(env.rank) + ": was it started?");
    }
  }
  return places;
}

}  // namespace

Membership ReachJob(const RankEnv& env, std::chrono::milliseconds timeout) {
  const std::string address = FindLocalAddress(env).address;
  return {OfThisAttempt(env, ReachStore(env, timeout)), env.rank, env.world_size, address, timeout};
}

Job JoinRanks(const RankEnv& env, std::chrono::milliseconds timeout) {
  const LocalAddress local = FindLocalAddress(env);
  Job job;
  job.membership = ReachJob(env, timeout);
  job.local_rank = env.local_rank;
  job.local_world_size = env.local_world_size;
  job.places = GatherPlaces(*job.membership.store, env, local.address + " (" + local.interface + ")");
  job.group = MakeGlooGroup(job.membership, "gradwire/ddp");
  return job;
}

Job InitFromEnv(std::chrono::milliseconds timeout) {
  if (const auto env = RankFromEnv()) return JoinRanks(*env, timeout);
  throw ConfigError(
      "environment: neither RANK nor WORLD_SIZE is set: expected torchrun's variables; start the ranks with "
      "`torchrun --no-python --nproc-per-node N PROGRAM`");
}

}  // namespace gradwire
