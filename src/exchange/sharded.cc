// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "base/timer.h"
#include "exchange/core.h"
#include "exchange/message_exchange.h"

namespace gradwire {
namespace {

/// Every rank is the server of the pieces that it owns: it averages what all ranks sent it for them (collect), steps,
/// and sends the result through the down link to all (spread). An owner decodes its own bytes, as all others do.
template <typename T>
class Sharded final : public BucketExchange<T> {
 public:
  explicit Sharded(const BucketJob<T>& job)
      : job_(job),
        dense_(job.channel.IsDense(job.round)),
        plan_(job.Plan(dense_)),
        up_context_(job.channel.Up(dense_, job.core.lane)),
        down_context_(job.channel.Down(job.core.lane)),
        up_(job.core.collective, job.core.lane.buffers, job.stats, job.FrameNames(0)),
        down_(job.core.collective, job.core.lane.buffers, job.stats, job.FrameNames(Frame::kDown)) {}

  std::optional<uint64_t> Start() override {
    const uint32_t rates = RatesOf(up_context_, Own(plan_->up), job_.round);
    for (int rank = 0; rank < job_.ranks(); ++rank) up_.Expect(rank, Own(plan_->up), rates);
    for (int owner = 0; owner < job_.ranks(); ++owner)
      PackAndPost(up_, up_context_, plan_->up[static_cast<size_t>(owner)], owner);
    return up_.Start();
  }

  std::optional<uint64_t> Resume() override {
    if (phase_ == Phase::kUp) {
      if (const auto operation = up_.Resume()) return operation;
      phase_ = Phase::kDown;
      Collect();
      return Spread();
    }
    if (const auto operation = down_.Resume()) return operation;
    Receive();
    return std::nullopt;
  }

 private:
  enum class Phase { kUp, kDown };

  const MessagePlan& Own(const std::vector<MessagePlan>& plans) const {
    return plans[static_cast<size_t>(job_.rank())];
  }

  void PackAndPost(MessageExchange& messages, const MessageContext<T>& context, const MessagePlan& plan, int peer) {
    Buffer message = messages.TakeBuffer(plan);
    Packed packed;
    {
      const Timer timer(job_.stats.encode_s);
      packed = Pack<T>(context, plan, job_.round, job_.bucket.values, message.bytes());
    }
    messages.Post(plan, peer, std::move(message), packed);
  }

  std::span<const T> PointOf(const PlannedPiece& planned) const {
    const std::span<const T> point = job_.bucket.point;
    return point.empty() ? point : point.subspan(planned.values, planned.piece.numel);
  }

  /// The mean of the owned pieces, into their places in the bucket.
  void Collect() {
    down_.poisoned = up_.is_any_poisoned();
    const Timer timer(job_.stats.decode_s);
    Unpack<T>(up_context_, Own(plan_->up), job_.bucket.index, job_.round, up_.ReadAll(), job_.bucket.values);
    for (const PlannedPiece& planned : Own(plan_->up).pieces) {
      const std::span<T> mean = job_.Values(planned);
      // NaN is packed as zeros, which leave the memory of the way back as it is.
      if (down_.poisoned)
        std::ranges::fill(mean, std::numeric_limits<T>::quiet_NaN());
      else
        OwnerStep(job_.channel.parts.prox, job_.round.LrOf(planned.parameter), PointOf(planned), mean);
    }
  }

  uint64_t Spread() {
    for (int owner = 0; owner < job_.ranks(); ++owner) {
      const MessagePlan& plan = plan_->down[static_cast<size_t>(owner)];
      down_.Expect(owner, plan, RatesOf(down_context_, plan, job_.round));
    }
    PackAndPost(down_, down_context_, Own(plan_->down), MessageExchange::kAll);
    return down_.Start();
  }

  void Receive() {
    const bool poisoned = down_.is_any_poisoned();
    job_.channel.poisoned |= poisoned;
    const Timer timer(job_.stats.decode_s);
    for (const From& message : down_.ReadAll())
      Unpack<T>(down_context_, plan_->down[message.sender], job_.bucket.index, job_.round, {&message, 1},
                job_.bucket.values);
    if (poisoned) std::ranges::fill(job_.bucket.values, std::numeric_limits<T>::quiet_NaN());
  }

  const BucketJob<T> job_;
  const bool dense_;
  const std::shared_ptr<const BucketPlan> plan_;
  const MessageContext<T> up_context_, down_context_;
  MessageExchange up_, down_;
  Phase phase_ = Phase::kUp;
};

}  // namespace

template <typename T>
BucketExchangePtr<T> MakeSharded(const BucketJob<T>& job) {
  return MakeExchange<Sharded<T>>(job);
}

template BucketExchangePtr<float> MakeSharded(const BucketJob<float>&);
template BucketExchangePtr<double> MakeSharded(const BucketJob<double>&);

}  // namespace gradwire
