// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <csignal>
#include <optional>

namespace gradwire::train {

/// While one lives, the signals of StopSignal and SIGCHLD are events to wait for, whichever thread they hit. At most
/// one at a time. The former stay ignored where they were (nohup, a shell's background job).
class SignalPipe {
 public:
  using Clock = std::chrono::steady_clock;

  struct Event {
    int signal = 0;
    bool from_terminal = false;  ///< the terminal has sent it to the whole process group
  };

  SignalPipe();
  ~SignalPipe();
  SignalPipe(const SignalPipe&) = delete;
  SignalPipe& operator=(const SignalPipe&) = delete;

  /// The next signal; empty once the deadline has passed.
  std::optional<Event> Wait(std::optional<Clock::time_point> deadline);

  /// Puts back what the signals did before. Async-signal-safe: for a child between fork and exec.
  void Restore() const;

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD};

  std::array<struct sigaction, kSignals.size()> before_{};
  int read_fd_ = -1;
};

}  // namespace gradwire::train
