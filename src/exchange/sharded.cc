// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <numeric>

#include "exchange/mail.h"

namespace gradwire {
namespace {

/// Every rank is the server of the pieces that it owns: it averages what all ranks sent it for them (collect), steps,
/// and sends the result through the down link to all (spread). An owner decodes its own bytes, as all others do.
template <typename T>
class ShardedFlight final : public Flight<T> {
 public:
  ShardedFlight(ExchangeCore<T>& core, const Round& round, const Bucket<T>& bucket)
      : core_(core),
        stats_(core.stats[bucket.index]),
        round_(round),
        bucket_(bucket),
        dense_(core.IsDense(round.step)),
        plan_(core.PlanOf(bucket, dense_)),
        up_(core, round, bucket.index, 0),
        down_(core, round, bucket.index, Frame::kDown) {}

  void Start() override {
    const uint32_t rates = RatesOf(UpChannel(core_, dense_), Own(plan_->up), round_);
    for (int rank = 0; rank < size(); ++rank) up_.Expect(rank, Own(plan_->up), rates);
    {
      const Timer timer(stats_.encode_s);
      for (int owner = 0; owner < size(); ++owner) {
        const MessagePlan& plan = plan_->up[static_cast<size_t>(owner)];
        up_.Compose(plan, {owner}, [&](std::span<std::byte> message) {
          return Pack<T>(core_, UpChannel(core_, dense_), plan, round_, bucket_.values, message);
        });
      }
    }
    up_.Start();
  }

  std::optional<uint64_t> awaits() const override {
    if (phase_ == Phase::kFinished) return std::nullopt;
    return phase_ == Phase::kUp ? up_.awaits() : down_.awaits();
  }

  void Advance() override {
    if (!(phase_ == Phase::kUp ? up_ : down_).Advance()) return;
    if (phase_ == Phase::kUp) {
      Collect();
      Spread();
      phase_ = Phase::kDown;
    } else {
      Receive();
      phase_ = Phase::kFinished;
    }
  }

 private:
  int size() const { return core_.collective.size(); }
  const MessagePlan& Own(const std::vector<MessagePlan>& plans) const {
    return plans[static_cast<size_t>(core_.collective.rank())];
  }

  std::span<const T> PointOf(const PlannedPiece& planned) const {
    return bucket_.point.empty() ? bucket_.point : bucket_.point.subspan(planned.values, planned.piece.numel);
  }

  /// The mean of the owned pieces, into their places in the bucket.
  void Collect() {
    down_.poisoned = up_.is_any_poisoned();
    const Timer timer(stats_.decode_s);
    std::vector<From> messages;
    for (int rank = 0; rank < size(); ++rank) messages.push_back(up_.Read(rank));
    Unpack<T>(core_, UpChannel(core_, dense_), Own(plan_->up), bucket_.index, round_, messages, bucket_.values);
    for (const PlannedPiece& planned : Own(plan_->up).pieces) {
      const std::span<T> mean = bucket_.values.subspan(planned.values, planned.piece.numel);
      // NaN is packed as zeros, which leave the memory of the way back as it is.
      if (down_.poisoned)
        std::ranges::fill(mean, std::numeric_limits<T>::quiet_NaN());
      else
        OwnerStep(core_.parts.prox, round_.LrOf(planned.parameter), PointOf(planned), mean);
    }
  }

  void Spread() {
    std::vector<int> all(static_cast<size_t>(size()));
    std::iota(all.begin(), all.end(), 0);
    for (const int owner : all) {
      const MessagePlan& plan = plan_->down[static_cast<size_t>(owner)];
      down_.Expect(owner, plan, RatesOf(DownChannel(core_), plan, round_));
    }
    {
      const Timer timer(stats_.encode_s);
      down_.Compose(Own(plan_->down), all, [&](std::span<std::byte> message) {
        return Pack<T>(core_, DownChannel(core_), Own(plan_->down), round_, bucket_.values, message);
      });
    }
    down_.Start();
  }

  void Receive() {
    const bool poisoned = down_.is_any_poisoned();
    core_.poisoned |= poisoned;
    const Timer timer(stats_.decode_s);
    for (int owner = 0; owner < size(); ++owner) {
      const From message = down_.Read(owner);
      Unpack<T>(core_, DownChannel(core_), plan_->down[static_cast<size_t>(owner)], bucket_.index, round_,
                {&message, 1}, bucket_.values);
    }
    if (poisoned) std::ranges::fill(bucket_.values, std::numeric_limits<T>::quiet_NaN());
  }

  ExchangeCore<T>& core_;
  ExchangeStats& stats_;
  const Round round_;
  const Bucket<T> bucket_;
  const bool dense_;
  const std::shared_ptr<const BucketPlan> plan_;
  Mail<T> up_, down_;
  enum class Phase { kUp, kDown, kFinished } phase_ = Phase::kUp;
};

}  // namespace

template <typename T>
std::unique_ptr<Flight<T>> MakeSharded(ExchangeCore<T>& core, const Round& round, const Bucket<T>& bucket) {
  return std::make_unique<ShardedFlight<T>>(core, round, bucket);
}

template std::unique_ptr<Flight<float>> MakeSharded(ExchangeCore<float>&, const Round&, const Bucket<float>&);
template std::unique_ptr<Flight<double>> MakeSharded(ExchangeCore<double>&, const Round&, const Bucket<double>&);

}  // namespace gradwire
