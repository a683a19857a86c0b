// SPDX-License-Identifier: Apache-2.0
#include "train/bench/start_ranks.h"

#include <optional>

#include "train/bench/hosts.h"
#include "train/launch/launch.h"
#include "train/launch/stop_signal.h"

namespace gradwire::train {
namespace {

constexpr int kPortOnHosts = 29500;  // nobody else is there

}  // namespace

int StartRanks(int ranks, const std::string& rate, double timeout_s, const ExchangeDoor& door) {
  const StopSignal stop;  // before the launcher listens and after: hosts are taken away in any case
  LaunchOptions launch;
  launch.nproc = ranks, launch.grace_s = timeout_s + 5;
  launch.program = door.program, launch.arguments = door.arguments;
  std::shared_ptr<void> store;
  std::optional<Hosts> hosts;
  if (rate.empty()) {
    store = door.serve_store(launch.master_port);
  } else {
    hosts.emplace(ranks, BitsPerSecond(rate));
    for (int rank = 0; rank < ranks; ++rank) launch.prefixes.push_back(hosts->prefix(rank));
    launch.master_addr = hosts->address(0), launch.master_port = kPortOnHosts, launch.store_is_served = false;
  }
  return stop.received() != 0 ? 128 + stop.received() : RunLocalRanks(launch);
}

}  // namespace gradwire::train
