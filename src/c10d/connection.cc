// SPDX-License-Identifier: Apache-2.0
#include "c10d/connection.h"

#include <utility>

namespace gradwire {

Connection::Connection(std::function<Backend(const std::stop_token&)> connect, std::function<void()> failed)
    : thread_([this, connect = std::move(connect), failed = std::move(failed)](const std::stop_token& stop) {
        try {
          Connect(connect, stop);
        } catch (const std::exception&) {
          failed();
        }
      }) {}

/// There is a backend for others when nothing is left that came before them.
void Connection::Connect(const std::function<Backend(const std::stop_token&)>& connect, const std::stop_token& stop) {
  const Backend made = connect(stop);
  for (;;) {
    Do act;
    {
      const std::lock_guard lock(mutex_);
      if (is_stopped_ || put_off_.empty()) {
        backend_ = made;
        changed_.notify_all();
        return;
      }
      act = std::move(put_off_.front());
      put_off_.pop_front();
    }
    act(*made);
  }
}

void Connection::Then(Do act) {
  Backend there;
  {
    const std::lock_guard lock(mutex_);
    there = backend_;
    if (!there) put_off_.push_back(std::move(act));
  }
  if (there) act(*there);
}

void Connection::Await() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return backend_ || is_stopped_; });
}

void Connection::Stop() {
  thread_.request_stop();
  const std::lock_guard lock(mutex_);
  is_stopped_ = true;
  changed_.notify_all();
}

void Connection::Close() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

Connection::Backend Connection::backend() {
  const std::lock_guard lock(mutex_);
  return backend_;
}

}  // namespace gradwire
