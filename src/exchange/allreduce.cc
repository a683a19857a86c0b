// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <limits>

#include "exchange/core.h"
#include "gradwire/error.h"
#include "kernels/add.h"

namespace gradwire {
namespace {

/// The whole bucket, dense, summed on the way. Multiplies by 1/n first, as DDP does without a hook: dividing, or
/// scaling afterwards, differs in the last bit.
template <typename T>
class DenseFlight final : public Flight<T> {
 public:
  DenseFlight(ExchangeCore<T>& core, const Round& round, const Bucket<T>& bucket)
      : core_(core), stats_(core.stats[bucket.index]), round_(round), bucket_(bucket) {
    CheckSegments(core.parameters, bucket);
  }

  void Start() override {
    const T scale = static_cast<T>(1.0 / core_.collective.size());
    kernels::Scale(scale, bucket_.values);
    const Timer timer(stats_.wire_s);
    ticket_ = core_.collective.StartAllReduce(bucket_.values);
    stats_.payload_bytes += ticket_.bytes_sent;
  }

  std::optional<uint64_t> awaits() const override { return is_finished_ ? std::nullopt : std::optional(ticket_.id); }

  void Advance() override {
    is_finished_ = true;
    OwnerStep(core_.parts.prox, round_, bucket_);
  }

 private:
  ExchangeCore<T>& core_;
  ExchangeStats& stats_;
  const Round round_;
  const Bucket<T> bucket_;
  Ticket ticket_;
  bool is_finished_ = false;
};

/// What linear operators send is an array of T: the payloads of all ranks are summed on the way, one after another in a
/// single vector, and decoded once. A bucket with a non-finite element is sent as zeros, with a NaN at the end.
template <typename T>
class LinearFlight final : public Flight<T> {
 public:
  LinearFlight(ExchangeCore<T>& core, const Round& round, const Bucket<T>& bucket)
      : core_(core),
        stats_(core.stats[bucket.index]),
        round_(round),
        bucket_(bucket),
        plan_(core.PlanOf(bucket, false)) {}

  void Start() override {
    {
      const Timer timer(stats_.encode_s);
      const bool finite = kernels::AllFinite<T>(bucket_.values);
      for (const PlannedPiece& planned : plan_->up[0].pieces)
        Encode(planned, finite ? bucket_.values.subspan(planned.values, planned.piece.numel) : std::span<T>{});
      sums_.push_back(finite ? T{0} : std::numeric_limits<T>::quiet_NaN());
    }
    const Timer timer(stats_.wire_s);
    ticket_ = core_.collective.StartAllReduce(std::span<T>(sums_));
    stats_.payload_bytes += ticket_.bytes_sent;
  }

  std::optional<uint64_t> awaits() const override { return is_finished_ ? std::nullopt : std::optional(ticket_.id); }

  void Advance() override {
    is_finished_ = true;
    const Timer timer(stats_.decode_s);
    size_t at = 0;
    for (const PlannedPiece& planned : plan_->up[0].pieces) at += Decode(planned, at);
    if (sums_.back() != 0)
      std::ranges::fill(bucket_.values, std::numeric_limits<T>::quiet_NaN());
    else
      OwnerStep(core_.parts.prox, round_, bucket_);
  }

 private:
  const Compressor& CompressorOf(const PlannedPiece& planned) const {
    return planned.dense ? *core_.dense : *core_.parts.compressor;
  }
  Site SiteOf(const PlannedPiece& planned) const {
    return {core_.parts.seed, Purpose::kCompress, static_cast<uint32_t>(core_.collective.rank()),
            round_.step,      planned.parameter,  planned.piece};
  }

  void Encode(const PlannedPiece& planned, std::span<const T> v) {
    const size_t at = sums_.size();
    sums_.resize(at + planned.bytes / sizeof(T));
    CompressorOf(planned).Encode(SiteOf(planned), core_.lane, v, T{1}, std::span<const T>{}, std::span<T>{},
                                 std::as_writable_bytes(std::span(sums_).subspan(at)));
  }

  size_t Decode(const PlannedPiece& planned, size_t at) {
    const size_t count = planned.bytes / sizeof(T);
    const Payload sum{std::as_bytes(std::span<const T>(sums_).subspan(at, count)), 0};
    const T weight = static_cast<T>(1.0 / core_.collective.size());
    CompressorOf(planned).Decode(SiteOf(planned), core_.lane, {&sum, 1}, std::span<const T>(&weight, 1), false,
                                 bucket_.values.subspan(planned.values, planned.piece.numel));
    return count;
  }

  ExchangeCore<T>& core_;
  ExchangeStats& stats_;
  const Round round_;
  const Bucket<T> bucket_;
  const std::shared_ptr<const BucketPlan> plan_;
  std::vector<T> sums_;  // payloads, then 0, or NaN from a rank whose bucket was poisoned
  Ticket ticket_;
  bool is_finished_ = false;
};

}  // namespace

template <typename T>
std::unique_ptr<Flight<T>> MakeDenseAllReduce(ExchangeCore<T>& core, const Round& round, const Bucket<T>& bucket) {
  return std::make_unique<DenseFlight<T>>(core, round, bucket);
}

template <typename T>
std::unique_ptr<Flight<T>> MakeAllReduce(ExchangeCore<T>& core, const Round& round, const Bucket<T>& bucket) {
  if (core.parts.compressor->spec() == "identity") return MakeDenseAllReduce(core, round, bucket);
  return std::make_unique<LinearFlight<T>>(core, round, bucket);
}

#define GRADWIRE_INSTANTIATE(T)                                                                             \
  template std::unique_ptr<Flight<T>> MakeDenseAllReduce(ExchangeCore<T>&, const Round&, const Bucket<T>&); \
  template std::unique_ptr<Flight<T>> MakeAllReduce(ExchangeCore<T>&, const Round&, const Bucket<T>&);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
