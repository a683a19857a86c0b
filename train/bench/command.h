// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "train/bench/advise.h"
#include "train/bench/exchange.h"
#include "train/bench/kernels.h"

namespace CLI {
class App;
}

namespace gradwire::train {

/// The words behind `bench`, whichever program has them.
struct BenchOptions {
  enum class Command { kKernels, kExchange, kAdvise };
  Command command = Command::kKernels;
  KernelsOptions kernels;
  ExchangeOptions exchange;
  AdviseOptions advise;
};

/// Adds `kernels`, `exchange` and `advise` to the command `bench`, which reads them into `options` and requires one of
/// them.
void AddBenchCommands(CLI::App& bench, BenchOptions& options);

/// Runs the command that was given. Returns the exit code.
int RunBench(const BenchOptions& options, const ExchangeDoor& door);

/// Reads and runs `words`, which begin with "bench", for a program that has no other commands read here: of this name.
/// Says errors on stderr. Returns the exit code: 2 for usage and ConfigError, 1 for other errors.
int BenchProgram(const std::string& name, std::vector<std::string> words, const ExchangeDoor& door);

}  // namespace gradwire::train
