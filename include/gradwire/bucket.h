// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <span>

#include "gradwire/parameter.h"
#include "gradwire/round.h"

namespace gradwire {

/// Gradients that became ready together: whole parameters, one after another. The bucket owns nothing: whoever handed
/// it out keeps the memory until the exchange has put the result in its place.
template <typename T>
struct Bucket {
  uint32_t index = 0;                 ///< position in the step; equal on all ranks
  std::span<const Segment> segments;  ///< in the order of their offsets, without gaps
  std::span<T> values;                ///< this rank's gradient; later the mean over the ranks
  std::span<const T> point = {};      ///< where it was taken, the same on all ranks; empty where only a prox would ask
  bool silent = false;                ///< this rank sends nothing of it: see ExchangeParts::may_be_silent
  /// Called by the exchange before it reads the values, on its thread: brings them from where they are.
  std::function<void()> fetch = {};
};

/// Takes the buckets of a step as they become ready.
template <typename T>
class BucketSink {
 public:
  virtual ~BucketSink() = default;
  /// Hands over a bucket of a round; `done` is called once, perhaps from another thread, when bucket.values holds
  /// the result, or with the exception that stopped the exchange. `done` must not call back into the sink.
  virtual void Push(const Round& round, const Bucket<T>& bucket, std::function<void(std::exception_ptr)> done) = 0;
};

/// Exchanges nothing: leaves every bucket as it is.
template <typename T>
class KeepSink final : public BucketSink<T> {
 public:
  void Push(const Round&, const Bucket<T>& bucket, std::function<void(std::exception_ptr)> done) override {
    if (bucket.fetch) bucket.fetch();
    done(nullptr);
  }
};

/// Pushes one bucket and waits for its result. Throws what stopped the exchange. For objectives that compute their
/// whole gradient first.
template <typename T>
void PushAndWait(BucketSink<T>& sink, const Round& round, const Bucket<T>& bucket) {
  const auto done = std::make_shared<std::promise<void>>();  // shared: this thread may go on before set_value returns
  sink.Push(round, bucket, [done](std::exception_ptr failure) {
    if (failure)
      done->set_exception(failure);
    else
      done->set_value();
  });
  done->get_future().get();
}

}  // namespace gradwire
