// SPDX-License-Identifier: Apache-2.0
// A message is made in three strokes: where each payload goes (planned, at most), the pieces in any order, and last,
// where payloads came out smaller than planned, the table of their sizes and a packing without gaps. Threads share the
// pieces: what comes of one is its own. A piece takes one of six ways, by what its gradient, its parameter and the
// round are: absent, zeros, dense, or through the link alone, or with a payload that moves a learned shift, sent before
// or after the link's.
#include "message/pack.h"

#include <algorithm>
#include <cstring>

#include <xxhash.h>

#include "base/thread_pool.h"
#include "gradwire/error.h"
#include "kernels/kernels.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

template <typename T>
class Packer {
 public:
  Packer(const MessageContext<T>& context, const MessagePlan& plan, const Round& round)
      : context_(context),
        plan_(plan),
        round_(round),
        scope_(context.lane.scratch),
        done_(context.lane.scratch.template Make<Done>(plan.pieces.size())),
        is_absent_(IsAbsent()) {
    for (size_t i = 0; i < done_.size(); ++i)  // here, since LinkHandles are for one thread
      if (const PlannedPiece& planned = plan.pieces[i]; !planned.dense)
        done_[i].memory = context.memory.Of(planned.parameter, planned.piece);
  }

  Packed Run(std::span<const T> values, std::span<std::byte> message, std::span<const size_t> order) {
    ThreadPool::OfProcess().Share(plan_.pieces.size(), context_.threads, context_.lane, [&](size_t i, Lane& lane) {
      PackPiece(order.empty() ? i : order[i], lane, values, message);
    });
    Packed packed{plan_.variable ? Tighten(message) : Pad(message)};
    for (const Done& done : done_) {
      packed.poisoned |= done.poisoned;
      packed.paper_bits += done.paper_bits;
      if (done.has_sent) packed.rates = RatesOf(context_, plan_, round_);
    }
    return packed;
  }

 private:
  /// What came of one piece: each has its own, so that pieces can be packed in any order.
  struct Done {
    LinkMemory<T> memory = {};  // none where it travels dense
    size_t bytes = 0, shift_bytes = 0;
    uint64_t paper_bits = 0;
    bool poisoned = false, has_sent = false;
  };
  /// A piece under work, by whoever has this lane.
  struct Job {
    Lane& lane;
    const PlannedPiece& planned;
    const Site site;
    std::span<const T> v;
    std::span<std::byte> out, shift_out;
    Done& done;
  };

  void PackPiece(size_t index, Lane& lane, std::span<const T> values, std::span<std::byte> message) const {
    const PlannedPiece& planned = plan_.pieces[index];
    const Job job{lane,
                  planned,
                  context_.SiteOf(round_, planned.parameter, planned.piece),
                  values.subspan(planned.values, planned.piece.numel),
                  message.subspan(planned.payload, planned.bytes),
                  message.subspan(planned.shift_payload, planned.shift_bytes),
                  done_[index]};
    if (context_.silent && !context_.dense && !planned.dense)
      return;
    else if (is_absent_ && !planned.dense)
      Skip(job);
    else if (LooksFirst(job) && !kernels::AllFinite(job.v))
      job.done.poisoned = true, Zeros(job);
    else if (IsUnused(job.v))
      Zeros(job);
    else
      SendPayloads(job);
  }

  /// Whether v must be seen to be finite before anything is made of it; else it is looked at while it is encoded.
  bool LooksFirst(const Job& job) const {
    return !job.planned.dense && (context_.dense || context_.shift_compressor != nullptr ||
                                  NeedsFinite<T>(context_.link, round_.LrOf(job.planned.parameter)));
  }

  void SendPayloads(Job job) const {
    if (!job.planned.dense) job.v = MoveMomentum<T>(context_.link, job.done.memory, job.v);
    if (context_.dense || job.planned.dense)
      Dense(job);
    else if (!context_.shift_compressor)
      SendPiece(job, job.v);
    else if (context_.shift_link->moves_h)
      SendBehindChange(job);
    else
      SendWithShift(job);
  }

  bool IsAbsent() const {
    const std::span<const double> shares = context_.SharesOf(round_);
    return !shares.empty() && shares[context_.rank] == 0;
  }

  bool IsUnused(std::span<const T> v) const {
    return !context_.dense && gradwire::IsUnused(context_.link, context_.zeros_keep_memory, v);
  }

  void SendPiece(const Job& job, std::span<const T> v) const {
    job.done.has_sent = true;
    job.done.bytes = Note(job, context_.link, context_.compressor, job.out,
                          Send<T>(context_.link, context_.compressor, job.site, job.lane, job.done.memory,
                                  round_.LrOf(job.planned.parameter), v, job.out));
  }

  /// Of a payload that was written to the begin of `out`. Returns its bytes.
  size_t Note(const Job& job, const Link& link, const Compressor& compressor, std::span<const std::byte> out,
              const EncodeResult& result) const {
    job.done.poisoned |= !result.finite;
    if (context_.count_as == nullptr) return result.bytes;
    const bool is_kept_back = link.gate != Gate::kOpen && result.bytes == 0;  // a bit says so
    job.done.paper_bits +=
        is_kept_back ? 1
                     : compressor.PaperBits(*context_.count_as, job.site.piece, kDtypeOf<T>, out.first(result.bytes));
    return result.bytes;
  }

  void Zeros(const Job& job) const {
    const auto send = [&](const Link& link, const Compressor& compressor, std::span<std::byte> room) {
      return Note(job, link, compressor, room, {SendZeros<T>(link, compressor, job.site, job.lane, room)});
    };
    const bool dense = context_.dense || job.planned.dense;
    job.done.bytes = send(dense ? FindLink("raw") : context_.link, dense ? Identity() : context_.compressor, job.out);
    if (job.planned.shift_bytes > 0)
      job.done.shift_bytes = send(*context_.shift_link, *context_.shift_compressor, job.shift_out);
  }

  /// Nothing is sent; the momentum, and what the next message is a difference to, are kept, if they can be.
  void Skip(const Job& job) const {
    job.done.poisoned = !kernels::AllFinite(job.v);
    if (job.done.poisoned) return;
    const std::span<const T> v = MoveMomentum<T>(context_.link, job.done.memory, job.v);
    if (context_.link.reference == Reference::kPrevious) std::ranges::copy(v, job.done.memory.y.begin());
  }

  void Dense(const Job& job) const {
    const bool by_link = !job.planned.dense;
    const auto send = [&](const Link& link) {
      return SendDense(link, job.site, job.lane, job.done.memory, job.v, job.out);
    };
    const Link& link = by_link ? context_.link : FindLink("raw");
    job.done.bytes = Note(job, FindLink("raw"), Identity(), job.out, send(link));
    if (by_link && context_.shift_compressor) send(*context_.shift_link);  // the same bytes again
  }

  /// v - h + mean h through the link, v - h to the shift (EC-DIANA: Gorbunov et al. 2020, arXiv 2010.12292, algorithm
  /// 2).
  void SendWithShift(const Job& job) const {
    const Scratch::Scope scope(job.lane.scratch);
    const std::span<T> unknown = job.lane.scratch.template Take<T>(job.v.size());
    kernels::Subtract<T>(job.v, job.done.memory.h, unknown);
    kernels::Add<T>(job.done.memory.mean_h, unknown);
    SendPiece(job, unknown);
    SendShift(job);
  }

  /// The first message moves h, and the second is the link's of what is left (3PCv2: Richtarik et al. 2022, arXiv
  /// 2202.00998). On the wire the link's payload stands in front all the same.
  void SendBehindChange(const Job& job) const {
    SendShift(job);
    SendPiece(job, job.v);
  }

  void SendShift(const Job& job) const {
    Site site = job.site;
    site.purpose = Purpose::kLearn;  // with random bits of its own: the two payloads must be independent
    job.done.shift_bytes = Note(job, *context_.shift_link, *context_.shift_compressor, job.shift_out,
                                Send<T>(*context_.shift_link, *context_.shift_compressor, site, job.lane,
                                        job.done.memory, round_.LrOf(job.planned.parameter), job.v, job.shift_out));
  }

  size_t Pad(std::span<std::byte> message) const {
    const auto pad = [&](size_t at, size_t bytes) {
      std::fill_n(message.data() + at + bytes, AlignPayload(bytes) - bytes, std::byte{0});
    };
    for (const PlannedPiece& planned : plan_.pieces) {
      pad(planned.payload, planned.bytes);
      if (planned.shift_bytes > 0) pad(planned.shift_payload, planned.shift_bytes);
    }
    return message.size();
  }

  /// Writes the table of sizes, and moves the payloads up to each other.
  size_t Tighten(std::span<std::byte> message) const {
    const size_t table = AlignPayload(plan_.payloads() * sizeof(uint32_t));
    std::fill_n(message.data() + sizeof(Frame), table, std::byte{0});
    size_t next = sizeof(Frame) + table, payload = 0;
    const auto move = [&](size_t from, size_t size) {
      const auto bytes = static_cast<uint32_t>(size);
      std::memcpy(message.data() + sizeof(Frame) + payload++ * sizeof(uint32_t), &bytes, sizeof(bytes));
      std::memmove(message.data() + next, message.data() + from, bytes);
      std::fill_n(message.data() + next + bytes, AlignPayload(bytes) - bytes, std::byte{0});
      next += AlignPayload(bytes);
    };
    for (size_t i = 0; i < plan_.pieces.size(); ++i) {
      move(plan_.pieces[i].payload, done_[i].bytes);
      if (plan_.pieces[i].shift_bytes > 0) move(plan_.pieces[i].shift_payload, done_[i].shift_bytes);
    }
    return next;
  }

  const MessageContext<T>& context_;
  const MessagePlan& plan_;
  const Round& round_;
  const Scratch::Scope scope_;
  const std::span<Done> done_;  // by piece
  const bool is_absent_;        // this rank, from the round
};

}  // namespace

const Compressor& Identity() {
  static const std::shared_ptr<const Compressor> identity = ParseCompressor("identity");
  return *identity;
}

template <typename T>
uint32_t RatesOf(const MessageContext<T>& context, const MessagePlan& plan, const Round& round) {
  if (!context.link.step_inside || context.dense) return 0;
  const Scratch::Scope scope(context.lane.scratch);
  const std::span<float> rates = context.lane.scratch.template Take<float>(plan.pieces.size());
  size_t count = 0;
  for (const PlannedPiece& planned : plan.pieces)
    if (!planned.dense) rates[count++] = static_cast<float>(round.LrOf(planned.parameter));
  return std::max(uint32_t{1}, static_cast<uint32_t>(XXH3_64bits(rates.data(), count * sizeof(float))));
}

template <typename T>
Packed Pack(const MessageContext<T>& context, const MessagePlan& plan, const Round& round, std::span<const T> values,
            std::span<std::byte> message, std::span<const size_t> order) {
  return Packer<T>(context, plan, round).Run(values, message, order);
}

#define GRADWIRE_INSTANTIATE(T)                                                                        \
  template uint32_t RatesOf(const MessageContext<T>&, const MessagePlan&, const Round&);               \
  template Packed Pack(const MessageContext<T>&, const MessagePlan&, const Round&, std::span<const T>, \
                       std::span<std::byte>, std::span<const size_t>);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
