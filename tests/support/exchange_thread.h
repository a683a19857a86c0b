// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/forwarding_collective.h"

namespace gradwire::testing {

inline constexpr int kWorkers = 2;
inline const std::vector<Parameter> kParameters = {{"a", {40, 50}}, {"b", {1}}, {"c", {60, 50}}};

inline ExchangeParts Parts() { return MakeParts(Combination{"ef", "sign"}.Config(), /*seed=*/1); }

inline Buckets<float> MakeBuckets(int rank, uint64_t step) {
  Buckets<float> buckets(kParameters, OneEach(kParameters));
  for (uint32_t p = 0; p < kParameters.size(); ++p)
    for (size_t i = 0; i < buckets.Of(p).size(); ++i)
      buckets.Of(p)[i] = static_cast<float>((i * 37 + p) % 101 + step) - 20 * static_cast<float>(rank);
  return buckets;
}

/// Counts operations that are started; `before` runs in front of each, with the number of those before it.
class WatchedCollective : public ForwardingCollective {
 public:
  using Before = std::function<void(size_t)>;
  explicit WatchedCollective(
      Collective& inner, Before before = [](size_t) {})
      : ForwardingCollective(inner), before_(std::move(before)) {}

  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    before_(started());
    const Ticket ticket = ForwardingCollective::Start(id, outgoing, incoming);
    const std::lock_guard lock(mutex_);
    ++started_;
    changed_.notify_all();
    return ticket;
  }
  size_t started() {
    const std::lock_guard lock(mutex_);
    return started_;
  }
  /// Fails where it takes too long.
  void WaitUntilStarted(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return started_ >= count; }))
        << started_ << " of " << count;
  }

 private:
  const Before before_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t started_ = 0;
};

}  // namespace gradwire::testing
