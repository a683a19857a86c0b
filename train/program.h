// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "train/bench/exchange.h"
#include "train/config/config.h"

namespace gradwire::train {

/// Runs a configuration whose ranks are processes: starts them, or is one of them, and returns the exit code. The
/// argument list is what a rank process would be started with again. Needs torch.
using RunProcesses = std::function<int(const Config& config, int argc, const char* const* argv)>;

/// Exit code of a usage or configuration error.
constexpr int kBadConfig = 2;

/// The `gradwire` program. `run_processes` and `bench_door` are empty in a build without torch, which then refuses what
/// needs them. Returns the exit code: kBadConfig, or 1 for other failures, whose text is on stderr.
int RunProgram(int argc, const char* const* argv, const RunProcesses& run_processes = {},
               const ExchangeDoor& bench_door = {});

}  // namespace gradwire::train
