// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace gradwire {

/// Threads that wait for others: as many as there ever were waits at the same time, so that none waits behind another
/// (a peer may hold back one message until it has got the answer to another).
class Waiters {
 public:
  /// For no more than `most` waits at the same time.
  explicit Waiters(size_t most) : most_(most) {}
  ~Waiters() { Join(); }
  Waiters(const Waiters&) = delete;

  /// Runs `wait` on a thread at once; it must not throw. Not after Join. Throws Error where the process can have no
  /// more threads.
  void Do(std::function<void()> wait);
  /// Waits for all of them. Idempotent.
  void Join();

 private:
  void Run();

  const size_t most_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;  // guarded by mutex_
  size_t idle_ = 0;                          // threads without a wait; guarded by mutex_
  bool joined_ = false;                      // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace gradwire
