// SPDX-License-Identifier: Apache-2.0
#include "train/bench/exchange.h"

#include <fstream>
#include <iostream>

#include "gradwire/error.h"
#include "train/bench/exchange_report.h"
#include "train/bench/start_ranks.h"

namespace gradwire::train {
namespace {

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

}  // namespace

int BenchExchange(const ExchangeOptions& options, const ExchangeDoor& door) {
  Check(options);
  if (!door.be_rank)
    throw ConfigError("bench exchange: this build is without torch, whose DDP it measures; expected one with torch");
  const auto env = RankFromEnv();
  return env ? BeRank(options, door, *env) : StartRanks(options.ranks, options.rate, options.timeout_s, door);
}

}  // namespace gradwire::train
