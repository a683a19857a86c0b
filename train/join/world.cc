// SPDX-License-Identifier: Apache-2.0
#include "train/join/world.h"

#include <algorithm>
#include <optional>
#include <thread>

#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include "base/notice.h"
#include "base/timeout.h"
#include "c10d/bounded_store.h"
#include "c10d/init.h"
#include "c10d/listen.h"
#include "gradwire/error.h"
#include "train/config/modes.h"
#include "train/config/settings.h"
#include "train/join/async_meeting.h"

namespace gradwire::train {

namespace {

/// Throws where the settings of the other rank are not this one's.
void Compare(const std::string& own, const Membership& member, int rank, const std::string& theirs) {
  if (theirs == own || theirs.empty()) return;
  const int low = std::min(rank, member.rank), high = std::max(rank, member.rank);
  const bool is_lower = rank == low;
  const std::string difference = RankDifference(low, is_lower ? theirs : own, high, is_lower ? own : theirs);
  const std::string sentence = NameRanks({high}) + " runs with other settings than " + NameRanks({low});
  if (rank == 0 && HasServer(ValueIn(theirs, "train.mode")))  // it meets its workers by itself, as they come
    ExcuseFrom(*member.store, member.rank, sentence + difference);
  throw ConfigError(sentence + "; give all ranks the same:" + difference);
}

/// This process's job, so that unwinding does not end the store that it serves.
std::optional<Membership>& OwnJob() {
  static auto* job = new std::optional<Membership>();
  return *job;
}

std::string LeftKey(int rank) { return "left/" + std::to_string(rank); }

}  // namespace

StoreServer::StoreServer() {
  auto store = ServeStore("127.0.0.1", 0, c10d::Store::kDefaultTimeout);
  port_ = store->getPort();
  store_ = std::move(store);
}

World JoinWorld(const RankEnv& env, double timeout_s, const std::string& settings) {
  const auto compare = [&](const Membership& member, int rank, const std::string& theirs) {
    KeepJob(member);
    Compare(settings, member, rank, theirs);
  };
  World world{JoinRanks(env, Milliseconds(timeout_s), settings, compare), env, nullptr, {}};
  world.metrics_collective = MakeC10dCollective(world.membership, "gradwire/exact");
  return world;
}

World AloneWorld(double timeout_s) {
  World world;
  world.membership = {c10::make_intrusive<c10d::HashStore>(), 0, 1, "127.0.0.1", Milliseconds(timeout_s)};
  world.places = {"this process"};
  world.group = MakeGlooGroup(world.membership, "gradwire/ddp");
  world.metrics_collective = MakeC10dCollective(world.membership, "gradwire/exact");
  return world;
}

World ServerWorld(const RankEnv& env, double timeout_s, const std::string& settings) {
  World world = AloneWorld(timeout_s);
  world.workers = ReachJob(env, Milliseconds(timeout_s));
  KeepJob(world.workers);
  Introduce(*world.workers.store, 0, {"the server", settings});
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

void KeepJob(const Membership& member) { OwnJob() = member; }

void LeaveAfterFailure(int blamed) {
  const std::optional<Membership>& job = OwnJob();
  if (!job || job->rank < 0) return;
  const auto tell = [job = *job, blamed] {
    try {
      job.store->set(LeftKey(job.rank), std::vector<uint8_t>{1});
      for (int rank = 0; rank < job.size && job.store_rank == job.rank; ++rank)
        while (rank != blamed && !job.store->check({LeftKey(rank)}))
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
    } catch (const std::exception&) {  // the store is gone
    }
  };
  Calls().Make(std::chrono::seconds(3), tell);
}

void Leave(const World& world) {
  const Membership& member = world.membership;
  OwnJob().reset();
  const auto begin = std::chrono::steady_clock::now();
  Notice notice(member.timeout);
  try {
    member.store->set(LeftKey(world.env.rank), std::vector<uint8_t>{1});
    for (int rank = 0; rank < world.env.world_size; ++rank)
      while (!member.store->check({LeftKey(rank)})) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        const auto waited =
            std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
        if (waited >= member.timeout) return;
        if (notice.IsDue(waited))
          SayOnStderr("rank " + std::to_string(member.rank) + " is done and has waited " + Seconds(waited) + " for " +
                      NameRanks({rank}) + " to end; it leaves after " + Seconds(member.timeout));
      }
  } catch (const std::exception&) {  // the rank that serves the store may have left already
  }
}

}  // namespace gradwire::train
