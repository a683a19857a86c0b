// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "gradwire/exchange.h"

namespace gradwire {

/// Runs an exchange on a thread of its own, so that buckets cross the wire while the caller computes the next ones.
/// Buckets are started in the order of Push; while none is waiting, the oldest one under way is finished.
/// Push may be called by one thread at a time, any thread. `done` runs on the exchange thread, and is destroyed there
/// right after, under no lock: what it owns may wait for whoever is in Push, such as for Python's interpreter lock.
///
/// After the first failure every bucket, also those pushed later, ends with that exception.
template <typename T>
class ExchangeThread : public BucketSink<T> {
 public:
  /// `exchange` must outlive this; it belongs to the thread until Close.
  explicit ExchangeThread(Exchange<T>& exchange);
  ~ExchangeThread() override { Close(); }

  void Push(const Round& round, const Bucket<T>& bucket, std::function<void(std::exception_ptr)> done) override;

  /// Runs `look` on the exchange thread between two buckets and waits for it: the way to read stats and state. Throws
  /// what `look` throws.
  void Inspect(const std::function<void(Exchange<T>&)>& look);

  /// Finishes what was pushed (each wait bounded by the collective's timeout) and joins the thread. Idempotent.
  void Close();

 private:
  struct Job {
    Round round;
    Bucket<T> bucket;
    std::function<void(std::exception_ptr)> done;
    std::function<void()> look;  // set: not a bucket, but an inspection
  };
  struct Started {
    typename Exchange<T>::Id id;
    std::function<void(std::exception_ptr)> done;
  };

  void Enqueue(Job job);
  void Run();
  std::optional<Job> Next();  // none: nothing waiting (and, when idle, closed)
  void Begin(Job& job);
  void FinishOldest();

  Exchange<T>& exchange_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;        // guarded by mutex_
  bool closed_ = false;          // guarded by mutex_
  std::deque<Started> started_;  // exchange thread only
  std::exception_ptr failure_;   // exchange thread only
  std::thread thread_;           // last: it uses all of the above
};

/// Exchanges each bucket at once, on the caller's thread.
template <typename T>
class DirectSink : public BucketSink<T> {
 public:
  explicit DirectSink(Exchange<T>& exchange) : exchange_(exchange) {}
  void Push(const Round& round, const Bucket<T>& bucket, std::function<void(std::exception_ptr)> done) override {
    std::exception_ptr failure;
    try {
      exchange_.Finish(exchange_.Start(round, bucket));
    } catch (...) {
      failure = std::current_exception();
    }
    done(failure);
  }

 private:
  Exchange<T>& exchange_;
};

}  // namespace gradwire
