// SPDX-License-Identifier: Apache-2.0
#include "exchange/joint_job.h"

#include <algorithm>
#include <limits>

#include "exchange/core.h"

namespace gradwire {
namespace {

constexpr size_t kCacheLine = 64;  // bytes: threads write messages side by side

template <typename T>
void Poison(std::span<T> values) {
  std::ranges::fill(values, std::numeric_limits<T>::quiet_NaN());
}

/// The regularised step of an owner on its pieces of the mean.
template <typename T>
void StepOnPieces(const JointJob<T>& job, const MessagePlan& plan) {
  const std::span<const T> point = job.buckets[0].point;
  for (const PlannedPiece& planned : plan.pieces)
    OwnerStep(job.channel.receivers.parts.prox, job.round.LrOf(planned.parameter),
              point.empty() ? point : point.subspan(planned.values, planned.piece.numel),
              job.mean.subspan(planned.values, planned.piece.numel));
}

/// The way back of one owner, whose pieces of the mean become what all ranks decode.
template <typename T>
void Spread(const JointJob<T>& job, const MessagePlan& plan, uint32_t owner) {
  MessageContext<T> context = job.channel.receivers.Down(job.lane);
  context.rank = owner;
  Buffer message = job.lane.buffers.Take(plan.bytes);
  const Packed packed = Pack<T>(context, plan, job.round, job.mean, message.bytes());
  job.Count(owner, plan, packed.bytes, job.ranks() - 1);
  const From from{message.bytes().first(packed.bytes), owner};
  Unpack<T>(context, plan, job.index(), job.round, {&from, 1}, job.mean);
  job.lane.buffers.GiveBack(std::move(message));
}

}  // namespace

template <typename T>
JointChannel<T>::JointChannel(std::vector<Parameter> parameters, ExchangeParts parts, uint32_t ranks)
    : topology(FindTopology(parts.topology)),
      receivers(typename Channel<T>::Receivers{}, std::move(parameters), std::move(parts), ranks,
                OwnersIn(topology, static_cast<int>(ranks))) {
  for (uint32_t rank = 0; rank < ranks; ++rank) senders.emplace_back(rank, receivers);
}

template <typename T>
std::shared_ptr<const BucketPlan> JointJob<T>::Plan(bool dense) const {
  return channel.receivers.PlanOf(index(), buckets[0].segments, dense);
}

template <typename T>
JointMessages<T>::JointMessages(const JointJob<T>& job, const MessagePlan& plan, bool dense)
    : lane_(job.lane),
      plan_(plan),
      stride_((plan.bytes + kCacheLine - 1) / kCacheLine * kCacheLine),
      room_(lane_.buffers.Take(stride_ * job.ranks())),
      packed_(job.ranks()) {
  const Channel<T>& receivers = job.channel.receivers;
  const Participation& participation = receivers.parts.participation;
  std::vector<double> shares;  // one draw for all
  if (!dense && !participation.is_all())
    shares = participation.Weights(receivers.parts.seed, job.round.draw(), job.ranks());
  job.ForRanks([&](size_t rank, Lane& lane) {
    MessageContext<T> context = job.channel.senders[rank].Up(dense, lane);
    context.shares = shares;
    context.silent = job.buckets[rank].silent;
    const Scratch::Scope scope(lane.scratch);
    std::span<T> values = job.buckets[rank].values;
    if (job.make != nullptr) values = lane.scratch.template Take<T>(values.size()), (*job.make)(rank, values);
    packed_[rank] = Pack<T>(context, plan_, job.round, values, Room(rank));
  });
}

template <typename T>
bool JointMessages<T>::is_any_poisoned() const {
  return std::ranges::any_of(packed_, [](const Packed& packed) { return packed.poisoned; });
}

template <typename T>
std::vector<From> JointMessages<T>::ReadAll() const {
  std::vector<From> messages;
  for (uint32_t rank = 0; rank < packed_.size(); ++rank)
    messages.push_back({Room(rank).first(packed_[rank].bytes), rank});
  return messages;
}

template <typename T>
void AllGatherHere(const JointJob<T>& job) {
  const Channel<T>& receivers = job.channel.receivers;
  const bool dense = receivers.IsDense(job.round);
  const auto plan = job.Plan(dense);
  const JointMessages<T> messages(job, plan->up[0], dense);
  for (size_t rank = 0; rank < job.ranks(); ++rank) {
    job.Count(rank, plan->up[0], messages.bytes(rank), job.ranks() - 1);
    job.stats[rank].paper_bits += messages.paper_bits(rank);
  }
  Unpack<T>(receivers.Up(dense, job.lane), plan->up[0], job.index(), job.round, messages.ReadAll(), job.mean);
  if (messages.is_any_poisoned())
    Poison(job.mean);
  else
    OwnerStep(receivers.parts.prox, job.round, job.Result());
}

template <typename T>
void ShardedHere(const JointJob<T>& job) {
  const Channel<T>& receivers = job.channel.receivers;
  const bool dense = receivers.IsDense(job.round);
  const auto plan = job.Plan(dense);
  const size_t ranks = job.ranks();
  std::deque<JointMessages<T>> up;
  std::vector<uint32_t> owners;  // those that serve something
  bool poisoned = false;
  for (uint32_t owner = 0; owner < ranks; ++owner) {
    if (plan->up[owner].pieces.empty()) continue;
    owners.push_back(owner);
    poisoned |= up.emplace_back(job, plan->up[owner], dense).is_any_poisoned();
  }
  for (size_t rank = 0; rank < ranks; ++rank) {
    const bool serves = std::ranges::binary_search(owners, rank);
    for (size_t i = 0; i < owners.size(); ++i) {
      if (owners[i] != rank) job.Count(rank, plan->up[owners[i]], up[i].bytes(rank), 1);
      job.stats[rank].paper_bits += up[i].paper_bits(rank);
    }
    // Messages without pieces are sent all the same.
    job.Count(rank, plan->up[rank], sizeof(Frame), ranks - owners.size() - (serves ? 0 : 1));
    if (!serves) job.Count(rank, plan->down[rank], sizeof(Frame), ranks - 1);
  }
  for (size_t i = 0; i < owners.size(); ++i) {
    const MessagePlan& own = plan->up[owners[i]];
    Unpack<T>(receivers.Up(dense, job.lane), own, job.index(), job.round, up[i].ReadAll(), job.mean);
    if (poisoned)  // packed as zeros, which leave the memory of the way back as it is
      for (const PlannedPiece& planned : own.pieces) Poison(job.mean.subspan(planned.values, planned.piece.numel));
    else
      StepOnPieces(job, own);
    Spread(job, plan->down[owners[i]], owners[i]);
  }
  if (poisoned) Poison(job.mean);
}

template struct JointChannel<float>;
template struct JointChannel<double>;
template struct JointJob<float>;
template struct JointJob<double>;
template class JointMessages<float>;
template class JointMessages<double>;
template void AllGatherHere(const JointJob<float>&);
template void AllGatherHere(const JointJob<double>&);
template void ShardedHere(const JointJob<float>&);
template void ShardedHere(const JointJob<double>&);

}  // namespace gradwire
