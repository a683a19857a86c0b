// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "gradwire/collective.h"
#include "train/config/config.h"
#include "train/convex/convex_setup.h"
#include "train/launch/notes.h"
#include "train/launch/stop_signal.h"

namespace gradwire::train {

// Each of the following returns the exit code: 0, or 128 and the signal that made the run save and stop.

/// Makes all steps as one rank of `collective`; rank 0 writes output_dir and the terminal. Between the exchange's
/// rounds the collective sums a few metrics. A run whose point stops being finite ends there and says so. `notes`: of
/// all ranks. `stop`: of the process; null where a signal ends it at once.
int RunConvexRank(const Config& config, const ConvexSetup& setup, Collective& collective, Notes& notes,
                  const StopSignal* stop);

/// Runs run.nproc workers in this process: all of them by run.threads threads, or a server's on its simulated clock.
int RunConvexThreads(const Config& config);

/// What notes the signals that end the run with a save; null where nothing is saved.
std::unique_ptr<StopSignal> StopOf(const Config& config);

}  // namespace gradwire::train
