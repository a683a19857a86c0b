// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "base/thread_pool.h"
#include "base/timer.h"
#include "exchange/core.h"
#include "kernels/kernels.h"

namespace gradwire {
namespace {

/// The whole bucket, dense, summed on the way. Multiplies by 1/n first, as DDP does without a hook: dividing, or
/// scaling afterwards, differs in the last bit.
template <typename T>
class DenseAllReduce final : public BucketExchange<T> {
 public:
  explicit DenseAllReduce(const BucketJob<T>& job) : job_(job) {
    CheckSegments(job.channel.parameters, job.bucket.segments, job.bucket.values.size());
  }

  std::optional<uint64_t> Start() override {
    const T scale = static_cast<T>(1.0 / job_.ranks());
    kernels::Scale(scale, job_.bucket.values);
    const Timer timer(job_.stats.wire_s);
    const Ticket ticket = job_.core.collective.StartAllReduce(job_.bucket.values);
    job_.stats.payload_bytes += ticket.bytes_sent;
    return ticket.id;
  }

  std::optional<uint64_t> Resume() override {
    OwnerStep(job_.channel.parts.prox, job_.round, job_.bucket);
    return std::nullopt;
  }

 private:
  const BucketJob<T> job_;
};

/// What linear operators send is an array of T: the payloads of all ranks are summed on the way, one after another in a
/// single vector, and decoded once. A bucket with a non-finite element is sent as zeros, with a NaN at the end.
template <typename T>
class LinearAllReduce final : public BucketExchange<T> {
 public:
  explicit LinearAllReduce(const BucketJob<T>& job)
      : job_(job), plan_(job.Plan(/*dense=*/false)), begins_(&job.core.lane.buffers.lists()) {
    size_t begin = 0;
    for (const PlannedPiece& planned : pieces()) {
      begins_.push_back(begin);
      begin += planned.bytes / sizeof(T);
    }
    buffer_ = job.core.lane.buffers.Take((begin + 1) * sizeof(T));
    sums_ = {reinterpret_cast<T*>(buffer_.memory.get()), begin + 1};
  }

  std::optional<uint64_t> Start() override {
    {
      const Timer timer(job_.stats.encode_s);
      const bool finite = kernels::AllFinite<T>(job_.bucket.values);
      Share([&](size_t i, Lane& lane) { Encode(i, lane, finite ? job_.Values(pieces()[i]) : std::span<T>{}); });
      sums_.back() = finite ? T{0} : std::numeric_limits<T>::quiet_NaN();
    }
    const Timer timer(job_.stats.wire_s);
    const Ticket ticket = job_.core.collective.StartAllReduce(sums_);
    job_.stats.payload_bytes += ticket.bytes_sent;
    return ticket.id;
  }

  std::optional<uint64_t> Resume() override {
    const Timer timer(job_.stats.decode_s);
    Share([this](size_t i, Lane& lane) { Decode(i, lane); });
    if (sums_.back() != 0)
      std::ranges::fill(job_.bucket.values, std::numeric_limits<T>::quiet_NaN());
    else
      OwnerStep(job_.channel.parts.prox, job_.round, job_.bucket);
    job_.core.lane.buffers.GiveBack(std::move(buffer_));
    return std::nullopt;
  }

 private:
  const std::vector<PlannedPiece>& pieces() const { return plan_->up[0].pieces; }
  template <typename Act>
  void Share(const Act& act) const {
    ThreadPool::OfProcess().Share(pieces().size(), job_.channel.parts.threads, job_.core.lane, act);
  }
  std::span<T> SumOf(size_t piece) const { return sums_.subspan(begins_[piece], pieces()[piece].bytes / sizeof(T)); }
  const Compressor& CompressorOf(const PlannedPiece& planned) const {
    return planned.dense ? Identity() : *job_.channel.parts.compressor;
  }
  Site SiteOf(const PlannedPiece& planned) const {
    return job_.channel.Up(false, job_.core.lane).SiteOf(job_.round, planned.parameter, planned.piece);
  }

  void Encode(size_t piece, Lane& lane, std::span<const T> v) {
    const PlannedPiece& planned = pieces()[piece];
    CompressorOf(planned).Encode(SiteOf(planned), lane, v, T{1}, std::span<const T>{}, std::span<T>{},
                                 std::as_writable_bytes(SumOf(piece)));
  }

  void Decode(size_t piece, Lane& lane) {
    const PlannedPiece& planned = pieces()[piece];
    const Payload sum{std::as_bytes(SumOf(piece)), 0};
    const T weight = static_cast<T>(1.0 / job_.ranks());
    CompressorOf(planned).Decode(SiteOf(planned), lane, {&sum, 1}, std::span<const T>(&weight, 1), Into::kWrite,
                                 job_.Values(planned));
  }

  const BucketJob<T> job_;
  const std::shared_ptr<const BucketPlan> plan_;
  std::pmr::vector<size_t> begins_;  // of the pieces' payloads in sums_
  Buffer buffer_;
  std::span<T> sums_;  // payloads, then 0, or NaN from a rank whose bucket was poisoned
};

}  // namespace

template <typename T>
BucketExchangePtr<T> MakeDenseAllReduce(const BucketJob<T>& job) {
  return MakeExchange<DenseAllReduce<T>>(job);
}

template <typename T>
BucketExchangePtr<T> MakeAllReduce(const BucketJob<T>& job) {
  if (job.channel.parts.compressor->is_identity()) return MakeDenseAllReduce(job);
  return MakeExchange<LinearAllReduce<T>>(job);
}

#define GRADWIRE_INSTANTIATE(T)                                          \
  template BucketExchangePtr<T> MakeDenseAllReduce(const BucketJob<T>&); \
  template BucketExchangePtr<T> MakeAllReduce(const BucketJob<T>&);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
