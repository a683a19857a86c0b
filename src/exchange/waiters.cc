// SPDX-License-Identifier: Apache-2.0
#include "exchange/waiters.h"

#include <utility>

#include "base/start_thread.h"

namespace gradwire {

void Waiters::Do(std::function<void()> wait) {
  const std::lock_guard lock(mutex_);
  // One that is neither idle nor waits is about to be idle: `most` of them are enough.
  if (queue_.size() >= idle_ && threads_.size() < most_)
    threads_.push_back(StartThread("that waits for other ranks", [this] { Run(); }));
  queue_.push_back(std::move(wait));
  wake_.notify_one();
}

void Waiters::Join() {
  {
    const std::lock_guard lock(mutex_);
    joined_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Waiters::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [this] { return joined_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    const std::function<void()> wait = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    wait();
    lock.lock();
  }
}

}  // namespace gradwire
