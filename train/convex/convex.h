// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "gradwire/collective.h"
#include "problem/problem.h"
#include "train/config/config.h"
#include "train/launch/notes.h"
#include "train/launch/stop_signal.h"

namespace gradwire::train {

/// What objective.name quadratic or logistic stands for. Immutable: ranks that are threads share it.
struct ConvexSetup {
  std::shared_ptr<const Problem> problem;  ///< its minimiser is that of f + R
  Prox prox;                               ///< R
};

/// Builds the problem for so many workers and solves it. Throws ConfigError, with the place of the key, where the data
/// are not there, are malformed or do not fit the number of workers.
ConvexSetup PrepareConvex(const Config& config, size_t workers);

// Each of the following returns the exit code: 0, or 128 and the signal that made the run save and stop.

/// Runs all rounds as one rank of `collective`; rank 0 writes output_dir and the terminal. Between the exchange's
/// rounds the collective sums a few metrics. A run whose point stops being finite ends there and says so. `notes`: of
/// all ranks. `stop`: of the process; null where a signal ends it at once.
int RunConvexRank(const Config& config, const ConvexSetup& setup, Collective& collective, Notes& notes,
                  const StopSignal* stop);

/// The asynchronous event loop of run.nproc workers on a simulated clock, in this thread (gradwire/async.h).
int RunConvexAsync(const Config& config);

/// Runs run.nproc ranks as threads of this process. Throws the first rank's error that is not about a peer.
/// With train.mode async: RunConvexAsync.
int RunConvexThreads(const Config& config);

/// Notes signals where the run can be saved.
std::unique_ptr<StopSignal> StopOf(const Config& config);

}  // namespace gradwire::train
