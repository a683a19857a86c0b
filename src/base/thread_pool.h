// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/own_process.h"
#include "gradwire/scratch.h"

namespace gradwire {

/// Threads that help whoever has several things to do. Any number of callers may share it at once, also from within
/// what it does. Nothing is allocated where nothing fails.
class ThreadPool {
 public:
  ThreadPool() = default;
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;

  /// The one that all exchanges of this process share. It stays until the process ends. A forked child gets one of its
  /// own, without threads: it has none of its parent's, and what they held locked stays locked.
  static ThreadPool& OfProcess();

  /// From now on Share can use so many threads, the caller's among them. Throws Error where no more can be started.
  void Grow(size_t threads);

  /// Calls act(i, lane) once for each i < n, in any order, on at most `threads` threads, one of which is the caller's,
  /// with its own `lane`. Returns when all are done. Where some throw, what the lowest of them has thrown goes to the
  /// caller, the same for any number of threads: all below it are done, and those above may be.
  template <typename Act>
  void Share(size_t n, size_t threads, Lane& lane, const Act& act) {
    Job job(n, &act, [](const void* of, size_t i, Lane& with) { (*static_cast<const Act*>(of))(i, with); });
    Do(job, threads, lane);
  }

 private:
  struct Job {
    using Call = void (*)(const void* act, size_t i, Lane& lane);
    Job(size_t n, const void* act, Call call) : n(n), act(act), call(call) {}

    const size_t n;
    const void* const act;
    const Call call;
    std::atomic<size_t> next = 0;  // taken in order, so that all below one that fails are done
    // All below is guarded by mutex_.
    size_t wanted = 0, helpers = 0;  // threads that may still come, and that are here
    std::condition_variable left;    // the last helper
    size_t failed = 0;               // whose failure it is
    std::exception_ptr failure;
    Job* behind = nullptr;
  };

  void Do(Job& job, size_t threads, Lane& lane);
  void Work(Job& job, Lane& lane);
  void Help();
  Job* Wanting() const;
  void Remove(const Job& job);

  const OwnProcess process_;
  std::mutex mutex_;
  std::condition_variable wake_;
  Job* first_ = nullptr;              // of a list, the oldest first; guarded by mutex_
  bool ends_ = false;                 // guarded by mutex_
  std::vector<std::thread> threads_;  // guarded by mutex_
};

}  // namespace gradwire
