// SPDX-License-Identifier: Apache-2.0
#include "gradwire/c10d_group.h"

#include <future>
#include <thread>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include "c10d/gloo_factory.h"
#include "c10d/setup_wait.h"
#include "c10d/torch_error.h"

namespace gradwire {
namespace {

using Backend = c10::intrusive_ptr<c10d::Backend>;

/// On a thread of its own, which is left where it does not come back in time.
std::future<Backend> StartConnecting(const Membership& member, const std::string& prefix) {
  std::packaged_task<Backend()> task([=] { return ConnectGloo(member, prefix); });
  auto made = task.get_future();
  std::thread(std::move(task)).detach();
  return made;
}

std::string CameKey(const std::string& prefix, int rank) { return prefix + "/came/" + std::to_string(rank); }

}  // namespace

Backend MeetOverGloo(const Membership& member, const std::string& prefix, RollCall& roll_call,
                     const std::stop_token& stop) {
  if (member.size == 1) return ConnectGloo(member, prefix);
  member.store->set(CameKey(prefix, member.rank), std::vector<uint8_t>{1});
  const auto missing = [&] {
    std::vector<int> ranks;
    for (int rank = 0; rank < member.size; ++rank)
      if (!member.store->check({CameKey(prefix, rank)})) ranks.push_back(rank);
    return ranks;
  };
  const std::string& group = roll_call.group().name;
  SetupWait wait(roll_call, member.timeout, group.empty() ? "group " + prefix : group, missing);
  auto made = StartConnecting(member, prefix);
  while (made.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
    if (stop.stop_requested()) throw Error("the connecting to " + prefix + " was given up");
    wait.Check();
  }
  try {
    return made.get();
  } catch (const PeerError&) {
    throw;
  } catch (const std::exception& error) {
    throw wait.Failed(FirstLine(error));
  }
}

Backend MakeGlooBackend(const Membership& given, const std::string& prefix) {
  if (given.size == 1) return ConnectGloo(given, prefix);
  return MeetOverGloo(WithBoundedStore(given), prefix, *RollCallOf(given), {});
}

c10::intrusive_ptr<c10d::ProcessGroup> MakeGlooGroup(const Membership& member, const std::string& prefix) {
  auto store = c10::make_intrusive<c10d::PrefixStore>(prefix, member.store);
  auto group = c10::make_intrusive<c10d::ProcessGroup>(store, member.rank, member.size);
  group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, MakeGlooBackend(member, prefix));
  group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
  return group;
}

}  // namespace gradwire
