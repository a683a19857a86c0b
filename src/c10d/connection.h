// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include <c10/util/intrusive_ptr.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>

namespace gradwire {

/// A backend that is there, or comes: what is to be done with it is done at once, or as soon as it has come, in the
/// order in which it was asked for.
class Connection {
 public:
  using Backend = c10::intrusive_ptr<c10d::Backend>;
  using Do = std::function<void(c10d::Backend&)>;

  explicit Connection(Backend backend) : backend_(std::move(backend)) {}
  /// `connect` runs on a thread of its own, and ends soon after its stop token says so. `failed` is called there in its
  /// catch block where it, or what was put off, throws.
  Connection(std::function<Backend(const std::stop_token&)> connect, std::function<void()> failed);
  ~Connection() { Close(); }
  Connection(const Connection&) = delete;

  /// One thread at a time.
  void Then(Do act);
  /// Returns when all has been done that was put off, or after Stop.
  void Await();
  /// Nothing is done any more of what was put off. Any thread.
  void Stop();
  /// Stop, and nothing is done any more when it returns. Not on that thread.
  void Close();
  /// Null as long as there is none.
  Backend backend();

 private:
  void Connect(const std::function<Backend(const std::stop_token&)>& connect, const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable changed_;
  Backend backend_;         // guarded by mutex_, as are the next two
  std::deque<Do> put_off_;  // while there is no backend
  bool is_stopped_ = false;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace gradwire
