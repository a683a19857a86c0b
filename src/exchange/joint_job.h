// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "exchange/joint_exchange.h"
#include "exchange/topologies.h"
#include "message/channel.h"
#include "message/pack.h"
#include "message/unpack.h"
#include "wire/wire.h"

namespace gradwire {

/// A channel of ranks that are all in this process: what each keeps as a sender, and once what receivers hold.
template <typename T>
struct JointChannel {
  JointChannel(std::vector<Parameter> parameters, ExchangeParts parts, uint32_t ranks);

  const Topology& topology;
  Channel<T> receivers;
  std::deque<Channel<T>> senders;  ///< by rank
};

/// A bucket that they exchange: what it works on, by reference where it outlives the exchange.
template <typename T>
struct JointJob {
  JointChannel<T>& channel;
  std::vector<ExchangeStats>& stats;  ///< by rank
  Lane& lane;                         ///< of the calling thread
  size_t threads;
  const Round& round;
  std::span<const Bucket<T>> buckets;   ///< by rank, all alike
  std::span<T> mean;                    ///< where the result goes
  const MakeVector<T>* make = nullptr;  ///< of the vectors, where the buckets have none

  size_t ranks() const { return buckets.size(); }
  uint32_t index() const { return buckets[0].index; }
  std::shared_ptr<const BucketPlan> Plan(bool dense) const;
  /// The result as a bucket, for a regulariser's step.
  Bucket<T> Result() const { return {index(), buckets[0].segments, mean, buckets[0].point}; }
  /// act(rank, lane) once for each rank, by several threads.
  template <typename Act>
  void ForRanks(const Act& act) const {
    ThreadPool::OfProcess().Share(ranks(), threads, lane, act);
  }
  /// A rank sends a message of that many bytes to so many others, with its length where that varies.
  void Count(size_t rank, const MessagePlan& plan, size_t bytes, size_t copies) const {
    stats[rank].frame_bytes += copies * (sizeof(Frame) + (plan.variable ? sizeof(uint64_t) : 0));
    stats[rank].payload_bytes += copies * (bytes - sizeof(Frame));
  }
};

/// The messages of all ranks on the way up, packed as the ranks themselves would. They lie in the job's lane until this
/// is gone. No frame is written, and none read.
template <typename T>
class JointMessages {
 public:
  /// `plan` must stay, as must the job's lane.
  JointMessages(const JointJob<T>& job, const MessagePlan& plan, bool dense);
  ~JointMessages() { lane_.buffers.GiveBack(std::move(room_)); }
  JointMessages(const JointMessages&) = delete;

  size_t bytes(size_t rank) const { return packed_[rank].bytes; }
  uint64_t paper_bits(size_t rank) const { return packed_[rank].paper_bits; }
  bool is_any_poisoned() const;
  /// By rank.
  std::vector<From> ReadAll() const;

 private:
  std::span<std::byte> Room(size_t rank) const { return room_.bytes().subspan(rank * stride_, plan_.bytes); }

  Lane& lane_;
  const MessagePlan& plan_;
  const size_t stride_;
  Buffer room_;
  std::vector<Packed> packed_;  // by rank
};

// One function per topology, for its row in topologies.cc: the result is what its BucketExchange gives on each rank,
// bit for bit, and the bytes are those that each rank would hand to its transport.
template <typename T>
void AllGatherHere(const JointJob<T>& job);
template <typename T>
void ShardedHere(const JointJob<T>& job);
template <typename T>
void AllReduceHere(const JointJob<T>& job);
template <typename T>
void FactorSumsHere(const JointJob<T>& job);
/// Dense whatever the operator: for the first start_iter steps.
template <typename T>
void DenseAllReduceHere(const JointJob<T>& job);

}  // namespace gradwire
