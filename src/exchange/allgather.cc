// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "base/timer.h"
#include "exchange/core.h"
#include "exchange/message_exchange.h"

namespace gradwire {
namespace {

/// Every rank sends its message to every other one and averages all n, its own among them, in rank order.
template <typename T>
class AllGather final : public BucketExchange<T> {
 public:
  explicit AllGather(const BucketJob<T>& job)
      : job_(job),
        dense_(job.channel.IsDense(job.round)),
        plan_(job.Plan(dense_)),
        context_(ContextOf(job, dense_)),
        messages_(job.core.collective, job.core.lane.buffers, job.stats, job.FrameNames(0)) {}

  std::optional<uint64_t> Start() override {
    const MessagePlan& plan = plan_->up[0];
    const uint32_t rates = RatesOf(context_, plan, job_.round);
    for (int rank = 0; rank < job_.ranks(); ++rank) messages_.Expect(rank, plan, rates);
    Buffer message = messages_.TakeBuffer(plan);
    Packed packed;
    {
      const Timer timer(job_.stats.encode_s);
      packed = Pack<T>(context_, plan, job_.round, job_.bucket.values, message.bytes());
    }
    messages_.Post(plan, MessageExchange::kAll, std::move(message), packed);
    return messages_.Start();
  }

  std::optional<uint64_t> Resume() override {
    if (const auto operation = messages_.Resume()) return operation;
    const bool poisoned = messages_.is_any_poisoned();
    job_.channel.poisoned |= poisoned;
    const Timer timer(job_.stats.decode_s);
    // Poisoned or not: shifts on both ends move by what was sent.
    Unpack<T>(context_, plan_->up[0], job_.bucket.index, job_.round, messages_.ReadAll(), job_.bucket.values);
    if (poisoned)
      std::ranges::fill(job_.bucket.values, std::numeric_limits<T>::quiet_NaN());
    else
      OwnerStep(job_.channel.parts.prox, job_.round, job_.bucket);
    return std::nullopt;
  }

 private:
  static MessageContext<T> ContextOf(const BucketJob<T>& job, bool dense) {
    MessageContext<T> context = job.channel.Up(dense, job.core.lane);
    context.silent = job.bucket.silent;
    return context;
  }

  const BucketJob<T> job_;
  const bool dense_;
  const std::shared_ptr<const BucketPlan> plan_;
  const MessageContext<T> context_;
  MessageExchange messages_;
};

}  // namespace

template <typename T>
BucketExchangePtr<T> MakeAllGather(const BucketJob<T>& job) {
  return MakeExchange<AllGather<T>>(job);
}

template BucketExchangePtr<float> MakeAllGather(const BucketJob<float>&);
template BucketExchangePtr<double> MakeAllGather(const BucketJob<double>&);

}  // namespace gradwire
