// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <thread>

#include "gradwire/exchange.h"

namespace gradwire {

class Waiters;

/// Runs an exchange on a thread of its own, so that buckets cross the wire while the caller computes the next ones.
/// Buckets are started in the order of Push, as soon as they are there: other threads wait for the peers, one for each
/// stage of a bucket (Waiters), and a bucket goes on when what it waits for has come. So buckets are on the wire
/// together, and a step costs a latency (or two, where there is a way back), not one for each bucket. Those of another
/// step of their channel wait until all of this step are finished; those of other channels do not. No more than
/// kUnderWay are under way together, and from the third on no more than whose messages take kMessageBytes, or twice the
/// largest bucket. That cannot block: of the buckets that some rank has not finished, the first one is started by every
/// rank, since all start them in one order.
///
/// Where the operator has to see the whole gradient (Exchange::NumelToGather), no bucket of a step is started before
/// all of them have been pushed: nothing then crosses the wire while the caller computes.
///
/// Push may be called by one thread at a time, any thread. `done` runs on the exchange thread, and is destroyed there
/// right after, under no lock: what it owns may wait for whoever is in Push, such as for Python's interpreter lock.
///
/// After the first failure every bucket, also those pushed later, ends with that exception.
template <typename T>
class ExchangeThread : public BucketSink<T> {
 public:
  static constexpr size_t kUnderWay = 64;
  static constexpr size_t kMessageBytes = size_t{50} << 20;  ///< twice a bucket of DDP's usual size

  /// `exchange` must outlive this; it belongs to the thread until Close. Throws Error where no thread can be started.
  explicit ExchangeThread(Exchange<T>& exchange);
  ~ExchangeThread() override;

  void Push(const Round& round, const Bucket<T>& bucket, std::function<void(std::exception_ptr)> done) override;

  /// Runs `visit` on the exchange thread, when all buckets pushed before are finished, and waits for it: the way to
  /// read stats and state. Throws what `visit` throws.
  void Inspect(const std::function<void(Exchange<T>&)>& visit);

  /// Finishes what was pushed (each wait bounded by the collective's timeout) and joins the threads. Idempotent.
  void Close();
  /// After Close: whether a bucket has failed, so that the transport may still write into what the exchange holds.
  bool has_failed() const { return failure_ != nullptr; }

 private:
  using Id = typename Exchange<T>::Id;
  using Done = std::function<void(std::exception_ptr)>;
  struct Job {
    Round round;
    Bucket<T> bucket;
    Done done;
    std::function<void()> visit;  // set: not a bucket, but an inspection
  };
  struct Arrival {
    Id id;
    double waited_s;
    std::exception_ptr failure;
  };

  static bool IsOf(const Round& round, const Job& job) {
    return !job.visit && job.round.step == round.step && job.round.channel == round.channel;
  }
  void Enqueue(Job job);
  void Run();
  std::optional<size_t> Next() const;  // the place in the queue of what may begin; under the lock
  bool HasRoomFor(const Bucket<T>& bucket) const;
  bool Lacks(const Job& next) const;
  void ShowModel(Job& first);
  void Begin(Job job);
  void Resume(const Arrival& arrival);
  void AwaitOrAnswer(Id id);
  void Await(Id id, const BucketWait& wait);  // a thread of waiters_
  void Fail(std::exception_ptr failure);

  Exchange<T>& exchange_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::pmr::unsynchronized_pool_resource queues_memory_;  // guarded by mutex_, as are the next three
  std::pmr::deque<Job> queue_{&queues_memory_};
  std::pmr::deque<Arrival> arrivals_{&queues_memory_};
  bool closed_ = false;
  struct Answer {
    Done done;
    uint32_t channel;
    size_t stage = 0;  // waits so far
  };
  struct Channel {
    uint64_t step = 0;  // of those under way
    size_t shown = 0;   // elements of buckets that the operator has seen and that are not started
    size_t under_way = 0;
  };
  Answer Take(Id id);
  std::pmr::unsynchronized_pool_resource memory_;  // exchange thread only, as are the next three
  std::pmr::map<Id, Answer> under_way_{&memory_};
  std::map<uint32_t, Channel> channels_;
  size_t largest_bucket_ = 0, largest_messages_ = 0;  // bytes of a bucket so far
  std::exception_ptr failure_;
  std::unique_ptr<Waiters> waiters_;
  std::thread thread_;  // last: it uses all of the above
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
