// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <csignal>

namespace gradwire::train {

/// The signals after which a run saves and stops: Ctrl-C, those of schedulers (SLURM's before it takes the machine away
/// is often SIGUSR1), and that of a terminal which is closed.
constexpr std::array kStopSignals = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};

/// While one lives, the first of them is only noted. One that comes more than a second later ends the process at once;
/// earlier ones are the same one again, as where an agent and a scheduler both send it. Signals that were
/// ignored stay so. At most one lives at a time.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  /// The signal's number; 0 for none so far. Any thread.
  int received() const;

 private:
  std::array<struct sigaction, kStopSignals.size()> before_{};
};

}  // namespace gradwire::train
