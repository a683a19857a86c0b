// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/rank_env.h"
#include "train/bench/exchange_rounds.h"
#include "train/bench/model_shapes.h"

namespace gradwire::train {

/// What the torch side of a program gives `bench exchange` and `bench advise`; empty in a build without torch.
struct ExchangeDoor {
  /// Serves a TCPStore on a free port of 127.0.0.1, which it says, while what it returns lives.
  std::function<std::shared_ptr<void>(int& port)> serve_store;
  /// Is one of the ranks, from joining the others to leaving them; `specs` are VariantsOf(options). Returns what it
  /// timed.
  std::function<ExchangeTimes(const ExchangeOptions& options, const std::vector<VariantSpec>& specs,
                              const RankEnv& env)>
      be_rank;
  /// Joins the other ranks, hands over a collective of all of them, and leaves.
  std::function<void(double timeout_s, const RankEnv& env, const std::function<void(Collective&)>& work)> with_ranks =
      {};
  PtReader read_pt = {};                    ///< of `bench advise --model FILE.pt`
  std::string program = {};                 ///< of the rank processes; empty: this one
  std::vector<std::string> arguments = {};  ///< that make this command again, the program's name first
};

/// `gradwire bench exchange`: starts the ranks, over loopback or on hosts of network namespaces, or is one of them.
/// Rank 0 says what was measured. Returns the exit code. Throws ConfigError, and Error where hosts cannot be made.
int BenchExchange(const ExchangeOptions& options, const ExchangeDoor& door);

}  // namespace gradwire::train
