// SPDX-License-Identifier: Apache-2.0
#include "hooks/python/membership.h"

#include <cstdlib>
#include <string>
#include <string_view>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "base/network_interface.h"
#include "base/timeout.h"
#include "c10d/bounded_store.h"

namespace gradwire {
namespace {

/// The address at which the other ranks reach this one: by the route to the host of the job's store.
std::string AddressFor(const c10::intrusive_ptr<c10d::Store>& store, int world_size, int local_world_size) {
  RankEnv env;
  env.world_size = world_size;
  env.local_world_size = local_world_size;
  env.master_addr = "localhost";
  c10::intrusive_ptr<c10d::Store> base = store;
  while (auto* prefix = dynamic_cast<c10d::PrefixStore*>(base.get())) base = prefix->getUnderlyingStore();
  if (auto* tcp = dynamic_cast<c10d::TCPStore*>(base.get())) {
    env.master_addr = tcp->getHost();
    env.master_port = tcp->getPort();
  }
  return FindLocalAddress(env).address;
}

}  // namespace

Membership MembershipOf(const c10::intrusive_ptr<c10d::Store>& store, int rank, int size, int world_size,
                        int local_world_size, double timeout_s) {
  Membership member{store, rank, size, AddressFor(store, world_size, local_world_size), Milliseconds(timeout_s)};
  const char* agent = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  const bool is_agents = agent != nullptr && std::string_view(agent) == "True";
  member.store_rank = is_agents || size != world_size ? -1 : 0;
  return WithBoundedStore(std::move(member));
}

}  // namespace gradwire
