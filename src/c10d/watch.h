// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace gradwire {

/// Looks after the waits of others, on a thread of its own: about once a second while there are any, and when none of
/// them has ended for the time of `timeout`. So many waits may begin together, and a slow link that still brings one
/// after another is no silence.
class Watch {
 public:
  using Tick = std::function<void(bool is_silent, std::chrono::milliseconds waited)>;

  /// `tick`: whether the timeout is over, and how long no wait has ended. Must not throw.
  Watch(std::chrono::milliseconds timeout, Tick tick);
  ~Watch();
  Watch(const Watch&) = delete;

  /// A wait begins, or is over, however it ended. Any thread.
  void Enter();
  void Leave();

 private:
  using Clock = std::chrono::steady_clock;
  void Run();

  const std::chrono::milliseconds timeout_;
  const Tick tick_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t waits_ = 0;               // guarded by mutex_
  Clock::time_point last_change_;  // the first Enter, or the last Leave; guarded by mutex_
  bool is_stopped_ = false;        // guarded by mutex_
  std::thread thread_;             // last: it uses all of the above
};

}  // namespace gradwire
