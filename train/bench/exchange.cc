// SPDX-License-Identifier: Apache-2.0
#include "train/bench/exchange.h"

#include <fstream>
#include <iostream>
#include <optional>

#include "gradwire/error.h"
#include "train/bench/exchange_report.h"
#include "train/bench/hosts.h"
#include "train/launch/launch.h"
#include "train/launch/stop_signal.h"

namespace gradwire::train {
namespace {

constexpr int kPortOnHosts = 29500;  // nobody else is there

/// `options`: of as many ranks as there are, which torchrun may have started.
int BeRank(ExchangeOptions options, const ExchangeDoor& door, const RankEnv& env) {
  options.ranks = env.world_size;
  const std::vector<VariantSpec> specs = VariantsOf(options);
  const ExchangeTimes times = door.be_rank(options, specs, env);
  if (env.rank != 0) return 0;
  std::cout << ExchangeTable(times, specs, options) << std::flush;
  if (!options.json.empty()) std::ofstream(options.json) << ExchangeJson(times, specs, options);
  return 0;
}

int Launch(const ExchangeOptions& options, const ExchangeDoor& door) {
  const StopSignal stop;  // before the launcher listens and after: hosts are taken away in any case
  LaunchOptions launch;
  launch.nproc = options.ranks, launch.grace_s = options.timeout_s + 5;
  launch.program = door.program, launch.arguments = door.arguments;
  std::shared_ptr<void> store;
  std::optional<Hosts> hosts;
  if (options.rate.empty()) {
    store = door.serve_store(launch.master_port);
  } else {
    hosts.emplace(options.ranks, BitsPerSecond(options.rate));
    for (int rank = 0; rank < options.ranks; ++rank) launch.prefixes.push_back(hosts->prefix(rank));
    launch.master_addr = hosts->address(0), launch.master_port = kPortOnHosts, launch.store_is_served = false;
  }
  return stop.received() != 0 ? 128 + stop.received() : RunLocalRanks(launch);
}

}  // namespace

int BenchExchange(const ExchangeOptions& options, const ExchangeDoor& door) {
  Check(options);
  if (!door.be_rank)
    throw ConfigError("bench exchange: this build is without torch, whose DDP it measures; expected one with torch");
  const auto env = RankFromEnv();
  return env ? BeRank(options, door, *env) : Launch(options, door);
}

}  // namespace gradwire::train
