// SPDX-License-Identifier: Apache-2.0
// PowerSGD: two sums over all ranks a bucket, of the factors of its matrices (message/power_step.h).
#include <algorithm>
#include <limits>

#include "base/timer.h"
#include "exchange/core.h"
#include "exchange/joint_job.h"
#include "kernels/kernels.h"
#include "message/power_step.h"

namespace gradwire {
namespace {

template <typename T>
std::span<T> ElementsOf(const Buffer& buffer, size_t numel) {
  return {reinterpret_cast<T*>(buffer.memory.get()), numel};
}

template <typename T>
void Poison(Channel<T>& channel, std::span<T> values) {
  channel.poisoned = true;
  std::ranges::fill(values, std::numeric_limits<T>::quiet_NaN());
}

template <typename T>
class FactorSums final : public BucketExchange<T> {
 public:
  explicit FactorSums(const BucketJob<T>& job)
      : job_(job),
        plan_(job.Plan(/*dense=*/false)),
        context_(job.channel.Up(/*dense=*/false, job.core.lane)),
        step_(context_, plan_->up[0], job.round),
        first_(job.core.lane.buffers.Take(step_.first_numel() * sizeof(T))),
        second_(job.core.lane.buffers.Take(step_.second_numel() * sizeof(T))) {}

  std::optional<uint64_t> Start() override {
    {
      const Timer timer(job_.stats.encode_s);
      step_.Begin();
      step_.FillFirst(job_.bucket.values, first());
    }
    job_.stats.paper_bits += step_.PaperBits();
    return Sum(first());
  }

  std::optional<uint64_t> Resume() override {
    if (!has_first_) {
      has_first_ = true;
      const Timer timer(job_.stats.encode_s);
      if (!step_.Orthonormalise(first())) return Done(false);
      if (step_.second_numel() > 0) {
        step_.FillSecond(first(), second());
        return Sum(second());
      }
    }
    const Timer timer(job_.stats.decode_s);
    return Done(step_.End(first(), second(), job_.bucket.values));
  }

 private:
  std::span<T> first() const { return ElementsOf<T>(first_, step_.first_numel()); }
  std::span<T> second() const { return ElementsOf<T>(second_, step_.second_numel()); }

  std::optional<uint64_t> Sum(std::span<T> values) {
    const Timer timer(job_.stats.wire_s);
    const Ticket ticket = job_.core.collective.StartAllReduce(values);
    job_.stats.payload_bytes += ticket.bytes_sent;
    return ticket.id;
  }

  std::optional<uint64_t> Done(bool finite) {
    if (finite)
      OwnerStep(job_.channel.parts.prox, job_.round, job_.bucket);
    else
      Poison(job_.channel, job_.bucket.values);
    job_.core.lane.buffers.GiveBack(std::move(first_));
    job_.core.lane.buffers.GiveBack(std::move(second_));
    return std::nullopt;
  }

  const BucketJob<T> job_;
  const std::shared_ptr<const BucketPlan> plan_;
  const MessageContext<T> context_;
  PowerStep<T> step_;
  Buffer first_, second_;
  bool has_first_ = false;
};

/// The sum over the ranks, in their order, in the place of rank 0's: what each of them sends is `numel` elements.
template <typename T>
void SumHere(const JointJob<T>& job, size_t numel, std::vector<std::vector<T>>& sent) {
  for (size_t rank = 0; rank < job.ranks(); ++rank) {
    if (rank > 0) kernels::Add<T>(sent[rank], sent[0]);
    job.stats[rank].payload_bytes += numel * sizeof(T) * (job.ranks() - 1);
  }
}

}  // namespace

template <typename T>
void FactorSumsHere(const JointJob<T>& job) {
  const auto plan = job.Plan(/*dense=*/false);
  std::vector<MessageContext<T>> contexts;
  for (const Channel<T>& sender : job.channel.senders) contexts.push_back(sender.Up(/*dense=*/false, job.lane));
  std::vector<PowerStep<T>> steps;  // one by one, since they share the lane's lists
  for (MessageContext<T>& context : contexts) {
    context.threads = job.threads;
    steps.emplace_back(context, plan->up[0], job.round);
  }
  std::vector<std::vector<T>> first(job.ranks(), std::vector<T>(steps[0].first_numel())),
      second(job.ranks(), std::vector<T>(steps[0].second_numel()));
  steps[0].Begin();
  for (size_t rank = 0; rank < job.ranks(); ++rank) {
    steps[rank].FillFirst(job.buckets[rank].values, first[rank]);
    job.stats[rank].paper_bits += steps[rank].PaperBits();
  }
  SumHere(job, first[0].size(), first);
  bool finite = steps[0].Orthonormalise(first[0]);
  if (finite) {
    for (size_t rank = 0; rank < job.ranks(); ++rank) steps[rank].FillSecond(first[0], second[rank]);
    SumHere(job, second[0].size(), second);
    finite = steps[0].End(first[0], second[0], job.mean);
  }
  if (finite)
    OwnerStep(job.channel.receivers.parts.prox, job.round, job.Result());
  else
    Poison(job.channel.receivers, job.mean);
}

template <typename T>
BucketExchangePtr<T> MakeFactorSums(const BucketJob<T>& job) {
  return MakeExchange<FactorSums<T>>(job);
}

#define GRADWIRE_INSTANTIATE(T)                                      \
  template BucketExchangePtr<T> MakeFactorSums(const BucketJob<T>&); \
  template void FactorSumsHere(const JointJob<T>&);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
