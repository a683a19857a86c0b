// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "exchange/agree.h"
#include "exchange/topologies.h"
#include "gradwire/exchange.h"
#include "message/channel.h"
#include "wire/wire.h"

namespace gradwire {

/// What all channels of an exchange share, and the channels.
template <typename T>
struct ExchangeCore {
  explicit ExchangeCore(Collective& collective) : collective(collective) {}

  Collective& collective;
  Agreement agreement;  // of the ranks on the orders of elements
  Lane lane;
  std::map<uint32_t, ExchangeStats> stats;  // by the bucket's index
  uint64_t token = 0;
  std::map<uint32_t, std::unique_ptr<Channel<T>>> channels;
  std::map<uint32_t, const Topology*> topologies;  // by channel

  /// Throws Error where it is not open.
  Channel<T>& In(uint32_t channel);

  /// The elements of each parameter of channel 0, and with them its memory, lie in these orders from now on. Between
  /// two steps.
  void Arrange(const std::vector<ElementOrder>& orders);

 private:
  void ShareOut(uint32_t parameter, StateStore<T>& store, bool down);
};

/// A bucket's exchange: what it works on, by reference where it outlives the exchange.
template <typename T>
struct BucketJob {
  ExchangeCore<T>& core;
  Channel<T>& channel;
  ExchangeStats& stats;
  const Round round;
  const Bucket<T> bucket;

  int ranks() const { return core.collective.size(); }
  int rank() const { return core.collective.rank(); }
  /// Throws Error where the bucket does not have the elements that its segments say.
  std::shared_ptr<const BucketPlan> Plan(bool dense) const;
  /// What all frames of its messages have in common. `flags`: Frame::kDown or 0.
  Frame FrameNames(uint16_t flags) const;
  std::span<T> Values(const PlannedPiece& planned) const {
    return bucket.values.subspan(planned.values, planned.piece.numel);
  }
};

/// A bucket under way: Start sends it, and each wait's end resumes it, until the mean is in place. Neither waits. Where
/// either throws, the transport may still write into its buffers: it must live until the collective is destroyed.
template <typename T>
class BucketExchange {
 public:
  virtual ~BucketExchange() = default;
  /// Both return the operation to wait for next; none: the bucket is finished.
  virtual std::optional<uint64_t> Start() = 0;
  virtual std::optional<uint64_t> Resume() = 0;
};

/// In the memory that the one before it has left (BufferPool::lists).
template <typename Derived, typename T>
BucketExchangePtr<T> MakeExchange(const BucketJob<T>& job) {
  return std::allocate_shared<Derived>(std::pmr::polymorphic_allocator<Derived>(&job.core.lane.buffers.lists()), job);
}

// One function per topology, for its row in topologies.cc.
template <typename T>
BucketExchangePtr<T> MakeAllGather(const BucketJob<T>& job);
template <typename T>
BucketExchangePtr<T> MakeSharded(const BucketJob<T>& job);
template <typename T>
BucketExchangePtr<T> MakeAllReduce(const BucketJob<T>& job);
template <typename T>
BucketExchangePtr<T> MakeFactorSums(const BucketJob<T>& job);
/// Dense whatever the operator: for the first start_iter steps.
template <typename T>
BucketExchangePtr<T> MakeDenseAllReduce(const BucketJob<T>& job);

/// Throws ConfigError where the operators cannot work on these parameters. `gathers`: all buckets of a round can be
/// shown to the operator of the way up before one is encoded (Channel::ShowModel).
void CheckParts(const ExchangeParts& parts, const std::vector<Parameter>& parameters, bool gathers);

/// The regularised step instead of the plain one: g <- (x - prox_{lr R}(x - lr g)) / lr, element by element, and 0
/// where lr is no step; nothing without a regulariser. Throws Error where there is one and no point.
template <typename T>
void OwnerStep(const Prox& prox, double lr, std::span<const T> point, std::span<T> gradient);
/// That step on all of a bucket.
template <typename T>
void OwnerStep(const Prox& prox, const Round& round, const Bucket<T>& bucket);

}  // namespace gradwire
