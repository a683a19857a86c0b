// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <algorithm>

#include "base/start_thread.h"

namespace gradwire {

ThreadPool& ThreadPool::OfProcess() {
  static std::atomic<ThreadPool*> pool = nullptr;
  ThreadPool* there = pool;
  if (there != nullptr && there->process_.is_here()) return *there;
  auto* made = new ThreadPool;  // never destroyed: its threads may be asleep when the process ends
  if (pool.compare_exchange_strong(there, made)) return *made;
  delete made;
  return *there;
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::Grow(size_t threads) {
  const std::lock_guard lock(mutex_);
  while (threads_.size() + 1 < threads)
    threads_.push_back(StartThread("that encodes and decodes (comm.threads)", [this] { Help(); }));
}

void ThreadPool::Do(Job& job, size_t threads, Lane& lane) {
  const size_t wanted = std::min(threads, job.n);
  if (wanted < 2) {
    for (size_t i = 0; i < job.n; ++i) job.call(job.act, i, lane);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    job.wanted = std::min(wanted - 1, threads_.size());
    Job** last = &first_;
    while (*last != nullptr) last = &(*last)->behind;
    *last = &job;
    for (size_t i = 0; i < job.wanted; ++i) wake_.notify_one();
  }
  Work(job, lane);
  std::unique_lock lock(mutex_);
  Remove(job);
  job.left.wait(lock, [&] { return job.helpers == 0; });
  if (job.failure) std::rethrow_exception(job.failure);
}

void ThreadPool::Work(Job& job, Lane& lane) {
  for (;;) {
    const size_t i = job.next.fetch_add(1);
    if (i >= job.n) return;
    try {
      job.call(job.act, i, lane);
    } catch (...) {
      job.next = job.n;
      const std::lock_guard lock(mutex_);
      if (job.failure && job.failed < i) continue;
      job.failed = i, job.failure = std::current_exception();
    }
  }
}

void ThreadPool::Help() {
  Lane lane;
  std::unique_lock lock(mutex_);
  for (;;) {
    Job* found = nullptr;  // looked up once: the last thing of a job may be taken at any time
    wake_.wait(lock, [&] { return ends_ || (found = Wanting()) != nullptr; });
    if (ends_) return;
    Job& job = *found;
    --job.wanted, ++job.helpers;
    lock.unlock();
    Work(job, lane);
    lock.lock();
    if (--job.helpers == 0) job.left.notify_one();  // under the lock: the job is gone when its caller has seen it
  }
}

/// The first job that wants another thread.
ThreadPool::Job* ThreadPool::Wanting() const {
  Job* job = first_;
  while (job != nullptr && (job->wanted == 0 || job->next >= job->n)) job = job->behind;
  return job;
}

void ThreadPool::Remove(const Job& job) {
  Job** place = &first_;
  while (*place != &job) place = &(*place)->behind;
  *place = job.behind;
}

}  // namespace gradwire
