// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <numeric>

#include "exchange/mail.h"

namespace gradwire {
namespace {

/// Every rank sends its message to every other one and averages all n, its own among them, in rank order.
template <typename T>
class AllGatherFlight final : public Flight<T> {
 public:
  AllGatherFlight(ExchangeCore<T>& core, const Round& round, const Bucket<T>& bucket)
      : core_(core),
        stats_(core.stats[bucket.index]),
        round_(round),
        bucket_(bucket),
        dense_(core.IsDense(round.step)),
        plan_(core.PlanOf(bucket, dense_)),
        mail_(core, round, bucket.index, 0) {}

  void Start() override {
    std::vector<int> all(static_cast<size_t>(core_.collective.size()));
    std::iota(all.begin(), all.end(), 0);
    const uint32_t rates = RatesOf(UpChannel(core_, dense_), plan_->up[0], round_);
    for (const int rank : all) mail_.Expect(rank, plan_->up[0], rates);
    {
      const Timer timer(stats_.encode_s);
      mail_.Compose(plan_->up[0], all, [&](std::span<std::byte> message) {
        return Pack<T>(core_, UpChannel(core_, dense_), plan_->up[0], round_, bucket_.values, message);
      });
    }
    mail_.Start();
  }

  std::optional<uint64_t> awaits() const override {
    return is_finished_ ? std::nullopt : std::optional(mail_.awaits());
  }

  void Advance() override {
    if (!mail_.Advance()) return;
    is_finished_ = true;
    const bool poisoned = mail_.is_any_poisoned();
    core_.poisoned |= poisoned;
    const Timer timer(stats_.decode_s);
    std::vector<From> messages;
    for (int rank = 0; rank < core_.collective.size(); ++rank) messages.push_back(mail_.Read(rank));
    // Poisoned or not: shifts on both ends move by what was sent.
    Unpack<T>(core_, UpChannel(core_, dense_), plan_->up[0], bucket_.index, round_, messages, bucket_.values);
    if (poisoned)
      std::ranges::fill(bucket_.values, std::numeric_limits<T>::quiet_NaN());
    else
      OwnerStep(core_.parts.prox, round_, bucket_);
  }

 private:
  ExchangeCore<T>& core_;
  ExchangeStats& stats_;
  const Round round_;
  const Bucket<T> bucket_;
  const bool dense_;
  const std::shared_ptr<const BucketPlan> plan_;
  Mail<T> mail_;
  bool is_finished_ = false;
};

}  // namespace

template <typename T>
std::unique_ptr<Flight<T>> MakeAllGather(ExchangeCore<T>& core, const Round& round, const Bucket<T>& bucket) {
  return std::make_unique<AllGatherFlight<T>>(core, round, bucket);
}

template std::unique_ptr<Flight<float>> MakeAllGather(ExchangeCore<float>&, const Round&, const Bucket<float>&);
template std::unique_ptr<Flight<double>> MakeAllGather(ExchangeCore<double>&, const Round&, const Bucket<double>&);

}  // namespace gradwire
