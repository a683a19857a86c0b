// SPDX-License-Identifier: Apache-2.0
#include "c10d/init.h"

#include <unistd.h>

#include <cstdlib>
#include <random>
#include <thread>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include "base/network_interface.h"
#include "c10d/bounded_store.h"
#include "c10d/listen.h"
#include "c10d/setup_wait.h"
#include "c10d/torch_error.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

using std::chrono::milliseconds;

/// localhost may be ::1 as well, where nobody listens.
std::string HostOf(const RankEnv& env) { return env.master_addr == "localhost" ? "127.0.0.1" : env.master_addr; }

bool ServesStore(const RankEnv& env) { return env.rank == 0 && !env.store_is_served; }

void AwaitServer(const RankEnv& env, milliseconds timeout) {
  Notice notice(timeout);
  for (const auto begin = SetupWait::Clock::now(); !IsListening(HostOf(env), env.master_port);) {
    std::this_thread::sleep_for(milliseconds(50));
    const auto waited = std::chrono::duration_cast<milliseconds>(SetupWait::Clock::now() - begin);
    if (waited >= timeout) throw std::runtime_error("nobody listens there: does rank 0 run?");
    if (notice.IsDue(waited))
      SayOnStderr((env.rank < 0 ? "this worker" : "rank " + std::to_string(env.rank)) + " has waited " +
                  Seconds(waited) + " for rank 0's store at " + env.master_addr + ":" +
                  std::to_string(env.master_port) + "; it gives up after " + Seconds(timeout));
  }
}

c10::intrusive_ptr<c10d::Store> Reach(const RankEnv& env, milliseconds timeout) {
  if (ServesStore(env)) return ServeStore(HostOf(env), env.master_port, timeout);
  AwaitServer(env, timeout);
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(env.master_port);
  options.waitWorkers = false;
  options.timeout = timeout;
  return c10::make_intrusive<c10d::TCPStore>(HostOf(env), options);
}

/// The agent's store outlives ranks that torchrun starts again: without a prefix they would find the keys of those that
/// failed. Python's env:// does the same.
c10::intrusive_ptr<c10d::Store> OfThisAttempt(const RankEnv& env, c10::intrusive_ptr<c10d::Store> store) {
  const char* attempt = std::getenv("TORCHELASTIC_RESTART_COUNT");
  if (!env.store_is_served || attempt == nullptr) return store;
  return c10::make_intrusive<c10d::PrefixStore>(std::string("gradwire/attempt_") + attempt, std::move(store));
}

/// torch's own connecting has a timeout, what it asks a server that it is connected with has none.
c10::intrusive_ptr<c10d::Store> ReachStore(const RankEnv& env, const Membership& member) {
  try {
    return c10::make_intrusive<BoundedStore>(
        member, member.timeout, [env, timeout = member.timeout] { return OfThisAttempt(env, Reach(env, timeout)); });
  } catch (const std::exception& error) {
    const bool is_plain =
        dynamic_cast<const Error*>(&error) != nullptr && dynamic_cast<const PeerError*>(&error) == nullptr;
    if (is_plain) throw;  // complete: the address below would add nothing
    throw Error((env.rank < 0 ? "this process" : "rank " + std::to_string(env.rank)) + " cannot " +
                (ServesStore(env) ? "serve" : "reach") + " the store at MASTER_ADDR:MASTER_PORT = " + env.master_addr +
                ":" + std::to_string(env.master_port) + " within " + std::to_string(member.timeout.count()) + " ms (" +
                FirstLine(error) + ")");
  }
}

std::string PlaceKey(int rank) { return "place/" + std::to_string(rank); }

std::string MineAlone() {
  std::random_device device;
  return std::to_string(getpid()) + " " + std::to_string(device());
}

std::optional<Introduced> FindIntroduced(c10d::Store& store, int rank) {
  if (!store.check({PlaceKey(rank)})) return std::nullopt;
  const std::vector<uint8_t> bytes = store.get(PlaceKey(rank));
  const std::string text(bytes.begin(), bytes.end());
  const size_t first = text.find('\n'), second = text.find('\n', first + 1);
  return Introduced{text.substr(0, first), text.substr(second + 1)};
}

/// Every rank's introduction, through the store: the first message of all, so that a rank that was not started has its
/// name.
std::vector<std::string> GatherPlaces(const Membership& member, const Introduced& own,
                                      const std::function<void(const Membership&, int, const std::string&)>& compare) {
  Introduce(*member.store, member.rank, own);
  std::vector<std::string> places;
  const auto begin = SetupWait::Clock::now();
  for (int rank = 0; rank < member.size; ++rank) {
    const Introduced other = AwaitIntroduced(member, rank, begin);
    if (compare) compare(member, rank, other.settings);
    places.push_back(other.place);
  }
  return places;
}

}  // namespace

Membership ReachJob(const RankEnv& env, milliseconds timeout) {
  Membership member{nullptr, env.rank, env.world_size, FindLocalAddress(env).address, timeout};
  member.store_rank = env.store_is_served ? -1 : 0;
  member.store = ReachStore(env, member);
  return member;
}

void Introduce(c10d::Store& store, int rank, const Introduced& own) {
  const std::string text = own.place + "\n" + MineAlone() + "\n" + own.settings;
  const std::vector<uint8_t> mine(text.begin(), text.end());
  if (store.compareSet(PlaceKey(rank), std::vector<uint8_t>{}, mine) != mine)
    throw Error("rank " + std::to_string(rank) +
                " of the job at MASTER_ADDR:MASTER_PORT is another process already: the port is in use by another "
                "job; give this one a MASTER_PORT of its own");
}

Introduced AwaitIntroduced(const Membership& member, int rank, std::chrono::steady_clock::time_point begin) {
  Notice notice(member.timeout);
  for (;;) {
    if (auto other = FindIntroduced(*member.store, rank)) return *other;
    std::this_thread::sleep_for(milliseconds(10));
    const std::string own = member.rank < 0 ? "this worker" : "rank " + std::to_string(member.rank);
    const std::string other = "rank " + std::to_string(rank) + " of " + std::to_string(member.size);
    const auto waited = std::chrono::duration_cast<milliseconds>(SetupWait::Clock::now() - begin);
    if (waited >= member.timeout)
      throw PeerError(rank, other + " has not joined within " + std::to_string(member.timeout.count()) + " ms, says " +
                                own + ": was it started?");
    if (notice.IsDue(waited))
      SayOnStderr(own + " has waited " + Seconds(waited) + " for " + other + " to join; it gives up after " +
                  Seconds(member.timeout));
  }
}

Job JoinRanks(const RankEnv& env, milliseconds timeout, const std::string& settings,
              const std::function<void(const Membership&, int, const std::string&)>& compare) {
  const LocalAddress local = FindLocalAddress(env);
  Job job;
  job.membership = ReachJob(env, timeout);
  job.local_rank = env.local_rank;
  job.local_world_size = env.local_world_size;
  job.places = GatherPlaces(job.membership, {local.address + " (" + local.interface + ")", settings}, compare);
  job.group = MakeGlooGroup(job.membership, "gradwire/ddp");
  return job;
}

Job InitFromEnv(milliseconds timeout) {
  if (const auto env = RankFromEnv()) return JoinRanks(*env, timeout);
  throw ConfigError(
      "environment: neither RANK nor WORLD_SIZE is set: expected torchrun's variables; start the ranks with "
      "`torchrun --no-python --nproc-per-node N PROGRAM`");
}

}  // namespace gradwire
