// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <thread>
#include <vector>

#include "gradwire/exchange.h"

namespace gradwire {

/// Threads that wait for operations, one for each stage of a bucket's: the first one waits for the first operations of
/// all buckets, the second one for the second ones, each in the order in which they come. So there are as many as a
/// bucket has stages, for any number of buckets.
///
/// None is held back for ever, where all ranks start buckets in one order. Stage 1: an operation waits for ranks that
/// have not started its bucket, and stands behind none that was started later; so those of all buckets that all ranks
/// have started come to their end. Stage k + 1: it waits for ranks whose stage k of that bucket has not ended, which by
/// then is a wait that ends; and nothing else stands in front of it but operations of its own stage. So every bucket
/// that all ranks have started is finished, whatever else waits: one that only some have started, another channel's.
class Waiters {
 public:
  struct Item {
    uint64_t id;  ///< the bucket's
    BucketWait wait;
  };

  /// `wait` waits for an item, on the thread of its stage; it must not throw.
  explicit Waiters(std::function<void(const Item&)> wait) : wait_(std::move(wait)) {}
  ~Waiters() { Join(); }
  Waiters(const Waiters&) = delete;

  /// One thread at a time, and not after Join. Throws Error where the stage has no thread yet, and the process can have
  /// no more.
  void Do(size_t stage, const Item& item);
  /// Waits for all of them. Idempotent.
  void Join();

 private:
  struct Stage {
    explicit Stage(std::pmr::memory_resource* memory) : queue(memory) {}
    std::condition_variable wake;
    std::pmr::deque<Item> queue;  // guarded by mutex_
    std::thread thread;
  };
  void Run(Stage& stage);

  const std::function<void(const Item&)> wait_;
  std::mutex mutex_;
  bool joined_ = false;                            // guarded by mutex_
  std::pmr::unsynchronized_pool_resource memory_;  // guarded by mutex_; keeps what queues give back
  std::vector<std::unique_ptr<Stage>> stages_;     // of the caller
};

}  // namespace gradwire
