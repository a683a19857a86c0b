// SPDX-License-Identifier: Apache-2.0
#include "exchange/waiters.h"

#include "base/start_thread.h"

namespace gradwire {

void Waiters::Do(size_t stage, const Item& item) {
  const std::lock_guard lock(mutex_);
  while (stages_.size() <= stage) {
    auto made = std::make_unique<Stage>(&memory_);
    made->thread = StartThread("that waits for other ranks", [this, of = made.get()] { Run(*of); });
    stages_.push_back(std::move(made));
  }
  stages_[stage]->queue.push_back(item);
  stages_[stage]->wake.notify_one();
}

void Waiters::Join() {
  {
    const std::lock_guard lock(mutex_);
    joined_ = true;
  }
  for (const auto& stage : stages_) stage->wake.notify_one();
  for (const auto& stage : stages_) stage->thread.join();
  stages_.clear();
}

void Waiters::Run(Stage& stage) {
  std::unique_lock lock(mutex_);
  for (;;) {
    stage.wake.wait(lock, [&] { return joined_ || !stage.queue.empty(); });
    if (stage.queue.empty()) return;
    const Item item = stage.queue.front();
    stage.queue.pop_front();
    lock.unlock();
    wait_(item);
    lock.lock();
  }
}

}  // namespace gradwire
