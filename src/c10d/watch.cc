// SPDX-License-Identifier: Apache-2.0
#include "c10d/watch.h"

#include <algorithm>
#include <utility>

#include "base/start_thread.h"

namespace gradwire {
namespace {

constexpr std::chrono::milliseconds kBetweenTicks{1000};

}  // namespace

Watch::Watch(std::chrono::milliseconds timeout, Tick tick)
    : timeout_(timeout), tick_(std::move(tick)), thread_(StartThread("that watches over waits", [this] { Run(); })) {}

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Watch::Enter() {
  const std::lock_guard lock(mutex_);
  if (waits_++ > 0) return;
  last_change_ = Clock::now();
  changed_.notify_one();
}

void Watch::Leave() {
  const std::lock_guard lock(mutex_);
  --waits_;
  last_change_ = Clock::now();
}

void Watch::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return is_stopped_ || waits_ > 0; });
    if (is_stopped_) return;
    const auto next = std::min(last_change_ + timeout_, Clock::now() + std::min(kBetweenTicks, timeout_ / 4));
    changed_.wait_until(lock, next, [this] { return is_stopped_; });
    if (is_stopped_) return;
    if (waits_ == 0) continue;
    const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - last_change_);
    const bool is_silent = waited >= timeout_;
    if (is_silent) last_change_ = Clock::now();  // one tick for each silence
    lock.unlock();
    tick_(is_silent, waited);
    lock.lock();
  }
}

}  // namespace gradwire
