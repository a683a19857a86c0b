// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "base/thread_pool.h"
#include "base/timer.h"
#include "exchange/core.h"
#include "exchange/joint_job.h"
#include "kernels/kernels.h"

namespace gradwire {
namespace {

/// What a paper counts of a bucket that travels as it is.
template <typename T>
uint64_t DenseBits(const Channel<T>& channel, size_t numel) {
  return channel.parts.count_as != nullptr ? channel.parts.count_as->Numbers(numel) : 0;
}

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
    job_.stats.paper_bits += DenseBits(job_.channel, job_.bucket.values.size());
    return ticket.id;
  }

  std::optional<uint64_t> Resume() override {
    OwnerStep(job_.channel.parts.prox, job_.round, job_.bucket);
    return std::nullopt;
  }

 private:
  const BucketJob<T> job_;
};

template <typename T>
const Compressor& CompressorOf(const Channel<T>& channel, const PlannedPiece& planned) {
  return planned.dense ? Identity() : *channel.parts.compressor;
}

/// What a paper counts of one piece's payload.
template <typename T>
uint64_t LinearBits(const Channel<T>& channel, const PlannedPiece& planned, std::span<const T> payload) {
  const BitRule* rule = channel.parts.count_as;
  if (rule == nullptr) return 0;
  return CompressorOf(channel, planned).PaperBits(*rule, planned.piece, kDtypeOf<T>, std::as_bytes(payload));
}

/// `v`: the piece, or nothing for zeros.
template <typename T>
void EncodeLinear(const Channel<T>& channel, const Round& round, const PlannedPiece& planned, Lane& lane,
                  std::span<const T> v, std::span<T> payload) {
  const Site site = channel.Up(false, lane).SiteOf(round, planned.parameter, planned.piece);
  CompressorOf(channel, planned)
      .Encode(site, lane, v, T{1}, std::span<const T>{}, std::span<T>{}, std::as_writable_bytes(payload));
}

template <typename T>
void DecodeLinear(const Channel<T>& channel, const Round& round, const PlannedPiece& planned, Lane& lane,
                  std::span<const T> sum, std::span<T> mean) {
  const Site site = channel.Up(false, lane).SiteOf(round, planned.parameter, planned.piece);
  const Payload payload{std::as_bytes(sum), 0};
  const T weight = static_cast<T>(1.0 / channel.ranks);
  CompressorOf(channel, planned).Decode(site, lane, {&payload, 1}, std::span<const T>(&weight, 1), Into::kWrite, mean);
}

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
      Share([&](size_t i, Lane& lane) {
        EncodeLinear<T>(job_.channel, job_.round, pieces()[i], lane, finite ? job_.Values(pieces()[i]) : std::span<T>{},
                        SumOf(i));
      });
      sums_.back() = finite ? T{0} : std::numeric_limits<T>::quiet_NaN();
    }
    const Timer timer(job_.stats.wire_s);
    for (size_t i = 0; i < pieces().size(); ++i)
      job_.stats.paper_bits += LinearBits<T>(job_.channel, pieces()[i], SumOf(i));
    const Ticket ticket = job_.core.collective.StartAllReduce(sums_);
    job_.stats.payload_bytes += ticket.bytes_sent;
    return ticket.id;
  }

  std::optional<uint64_t> Resume() override {
    const Timer timer(job_.stats.decode_s);
    Share([this](size_t i, Lane& lane) {
      DecodeLinear<T>(job_.channel, job_.round, pieces()[i], lane, SumOf(i), job_.Values(pieces()[i]));
    });
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
  const BucketJob<T> job_;
  const std::shared_ptr<const BucketPlan> plan_;
  std::pmr::vector<size_t> begins_;  // of the pieces' payloads in sums_
  Buffer buffer_;
  std::span<T> sums_;  // payloads, then 0, or NaN from a rank whose bucket was poisoned
};

/// What each rank sends, added in rank order, as a sum over all ranks does.
template <typename T>
void AddHere(const JointJob<T>& job, size_t rank, std::span<const T> values, std::span<T> sum) {
  if (rank == 0)
    std::ranges::copy(values, sum.begin());
  else
    kernels::Add<T>(values, sum);
  job.stats[rank].payload_bytes += values.size_bytes() * (job.ranks() - 1);
}

}  // namespace

template <typename T>
void DenseAllReduceHere(const JointJob<T>& job) {
  const T scale = static_cast<T>(1.0 / static_cast<double>(job.ranks()));
  job.ForRanks([&](size_t rank, Lane&) { kernels::Scale(scale, job.buckets[rank].values); });
  for (size_t rank = 0; rank < job.ranks(); ++rank) {
    AddHere<T>(job, rank, job.buckets[rank].values, job.mean);
    job.stats[rank].paper_bits += DenseBits(job.channel.receivers, job.mean.size());
  }
  OwnerStep(job.channel.receivers.parts.prox, job.round, job.Result());
}

template <typename T>
void AllReduceHere(const JointJob<T>& job) {
  const Channel<T>& receivers = job.channel.receivers;
  if (receivers.parts.compressor->is_identity()) return DenseAllReduceHere(job);
  const auto plan = job.Plan(/*dense=*/false);
  const auto for_pieces = [&](const auto& act) {  // with the place of each payload
    size_t at = 0;
    for (const PlannedPiece& planned : plan->up[0].pieces) {
      act(planned, at, planned.bytes / sizeof(T));
      at += planned.bytes / sizeof(T);
    }
    return at;
  };
  const size_t end = for_pieces([](const PlannedPiece&, size_t, size_t) {});
  std::vector<std::vector<T>> sent(job.ranks(), std::vector<T>(end + 1));
  job.ForRanks([&](size_t rank, Lane& lane) {
    const std::span<const T> values = job.buckets[rank].values;
    const bool finite = kernels::AllFinite(values);
    for_pieces([&](const PlannedPiece& planned, size_t at, size_t count) {
      EncodeLinear<T>(job.channel.senders[rank], job.round, planned, lane,
                      finite ? values.subspan(planned.values, planned.piece.numel) : std::span<const T>{},
                      std::span(sent[rank]).subspan(at, count));
    });
    sent[rank].back() = finite ? T{0} : std::numeric_limits<T>::quiet_NaN();
  });
  std::vector<T> sums(end + 1);
  for (size_t rank = 0; rank < job.ranks(); ++rank) {
    AddHere<T>(job, rank, sent[rank], sums);
    for_pieces([&](const PlannedPiece& planned, size_t at, size_t count) {
      job.stats[rank].paper_bits += LinearBits<T>(receivers, planned, std::span(sent[rank]).subspan(at, count));
    });
  }
  for_pieces([&](const PlannedPiece& planned, size_t at, size_t count) {
    DecodeLinear<T>(receivers, job.round, planned, job.lane, std::span(sums).subspan(at, count),
                    job.mean.subspan(planned.values, planned.piece.numel));
  });
  if (sums.back() != 0)
    std::ranges::fill(job.mean, std::numeric_limits<T>::quiet_NaN());
  else
    OwnerStep(receivers.parts.prox, job.round, job.Result());
}

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
  template BucketExchangePtr<T> MakeAllReduce(const BucketJob<T>&);      \
  template void DenseAllReduceHere(const JointJob<T>&);                  \
  template void AllReduceHere(const JointJob<T>&);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
