// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <csignal>

namespace gradwire::train {

/// While one lives, the first SIGINT or SIGTERM is only noted. One that comes more than a second later ends the process
/// at once; earlier ones are the same one again, as where an agent and a scheduler both send it. Signals that were
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
  static constexpr std::array kSignals = {SIGINT, SIGTERM};

  std::array<struct sigaction, kSignals.size()> before_{};
};

}  // namespace gradwire::train
