// SPDX-License-Identifier: Apache-2.0
#include "message/unpack.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "base/text.h"
#include "base/thread_pool.h"
#include "gradwire/error.h"
#include "message/aggregate_rules.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

using Bytes = std::span<const std::byte>;

/// Where the payloads of a message lie, in order: as planned, or by its table of sizes, which is not believed.
void FindPayloads(const MessagePlan& plan, uint32_t bucket, const Round& round, const From& from,
                  std::span<Bytes> payloads) {
  size_t count = 0;
  const Bytes table = plan.variable ? from.message.subspan(sizeof(Frame)) : Bytes{};
  const size_t table_bytes = AlignPayload(plan.payloads() * sizeof(uint32_t));
  size_t next = sizeof(Frame) + table_bytes;
  const auto refuse = [&](const std::string& what) {
    throw PeerError(static_cast<int>(from.sender),
                    fmt::format("message from rank {}, bucket {}, step {}{}: {}", from.sender, bucket, round.step,
                                InChannel(round.channel), what));
  };
  if (plan.variable && table.size() < table_bytes) refuse("shorter than its table of sizes");
  const auto take = [&](size_t planned, size_t most) {
    uint32_t bytes = static_cast<uint32_t>(most);
    if (plan.variable) {
      std::memcpy(&bytes, table.data() + count * sizeof(uint32_t), sizeof(bytes));
      if (bytes > most || AlignPayload(bytes) > from.message.size() - next)
        refuse(fmt::format("payload {} of {} bytes, expected at most {}", count, bytes,
                           std::min(most, from.message.size() - next)));
      planned = next;
      next += AlignPayload(bytes);
    }
    payloads[count++] = from.message.subspan(planned, bytes);
  };
  for (const PlannedPiece& planned : plan.pieces) {
    take(planned.payload, planned.bytes);
    if (planned.shift_bytes > 0) take(planned.shift_payload, planned.shift_bytes);
  }
  if (plan.variable && next != from.message.size()) refuse("longer than its payloads");
}

/// Bytes of a bucket that no core's own cache holds: its mean goes past the caches, since nobody reads it before the
/// last bucket is there.
constexpr size_t kStreamsFrom = size_t{4} << 20;

template <typename T>
class Unpacker {
 public:
  Unpacker(const MessageContext<T>& context, const MessagePlan& plan, const Round& round,
           std::span<const From> messages)
      : context_(context),
        plan_(plan),
        round_(round),
        messages_(messages),
        scope_(context.lane.scratch),
        each_(plan.payloads()),
        payloads_(context.lane.scratch.template Make<Bytes>(messages.size() * each_)),
        jobs_(context.lane.scratch.template Make<Job>(plan.pieces.size())),
        shares_(context.SharesOf(round)) {
    if (context.aggregate == nullptr || !context.aggregate->rule->draws) return;
    const std::span<uint32_t> order = context.lane.scratch.template Take<uint32_t>(messages.size());
    DrawOrder(context.seed, round.draw(), order);
    order_ = order;
  }

  void Run(uint32_t bucket, std::span<T> values) {
    if (values.size_bytes() >= kStreamsFrom && !context_.votes && !context_.link.shifts()) into_ = Into::kStream;
    for (size_t i = 0; i < messages_.size(); ++i)
      FindPayloads(plan_, bucket, round_, messages_[i], payloads_.subspan(i * each_, each_));
    size_t payload = 0;
    for (size_t i = 0; i < jobs_.size(); ++i) {  // here, since LinkHandles are for one thread
      const PlannedPiece& planned = plan_.pieces[i];
      jobs_[i].payload = payload;
      jobs_[i].memory = planned.dense ? context_.memory.OfDense(planned.parameter, planned.piece)
                                      : context_.memory.Of(planned.parameter, planned.piece);
      payload += planned.shift_bytes > 0 ? 2 : 1;
    }
    ThreadPool::OfProcess().Share(jobs_.size(), context_.threads, context_.lane, [&](size_t i, Lane& lane) {
      const PlannedPiece& planned = plan_.pieces[i];
      try {
        Take(planned, jobs_[i], lane, values.subspan(planned.values, planned.piece.numel));
      } catch (const PeerError& error) {
        throw PeerError(error.rank(),
                        fmt::format("step {}, bucket {}{}, parameter {}, piece {}: {}", round_.step, bucket,
                                    InChannel(round_.channel), context_.parameters[planned.parameter].name,
                                    planned.piece.index, error.what()));
      }
    });
  }

 private:
  struct Job {
    size_t payload = 0;         // the piece's first one in each message
    LinkMemory<T> memory = {};  // the links' is none where it travels dense
  };

  void Take(const PlannedPiece& planned, const Job& job, Lane& lane, std::span<T> out) const {
    Site site = context_.SiteOf(round_, planned.parameter, planned.piece);
    site.worker = 0;  // each payload names its own
    if (context_.aggregate != nullptr) return Combine(planned, site, job, lane, out);
    if (context_.dense || planned.dense) {
      Decode(site, lane, job.payload, Identity(), 1.0 / static_cast<double>(messages_.size()), out, /*all_send=*/true);
      if (context_.dense && !planned.dense) ReceiveDense<T>(context_.link, job.memory, out);
      return;
    }
    if (context_.votes) return Vote(site, lane, job.payload, out);
    Decode(site, lane, job.payload, context_.compressor, Weight(context_.link, planned), out);
    ReceiveMean<T>(context_.link, context_.compressor, site, job.memory, out);
    if (planned.shift_bytes == 0) return;
    site.purpose = Purpose::kLearn;
    const Scratch::Scope scope(lane.scratch);
    const std::span<T> of_shift = lane.scratch.template Take<T>(out.size());
    Decode(site, lane, job.payload + 1, *context_.shift_compressor, Weight(*context_.shift_link, planned), of_shift);
    ReceiveMean<T>(*context_.shift_link, *context_.shift_compressor, site, job.memory, of_shift);
    if (context_.shift_link->takes_shift) std::ranges::copy(of_shift, out.begin());
  }

  /// What the aggregate makes of the senders' vectors, each decoded by itself.
  void Combine(const PlannedPiece& planned, const Site& site, const Job& job, Lane& lane, std::span<T> out) const {
    const Scratch::Scope scope(lane.scratch);
    const bool dense = context_.dense || planned.dense;
    const Compressor& compressor = dense ? Identity() : context_.compressor;
    const T weight =
        dense ? T{1} : static_cast<T>(ReceiveWeight<T>(context_.link, round_.LrOf(planned.parameter), /*senders=*/1));
    const size_t n = messages_.size();
    const Decoded<T> decoded{lane.scratch.template Take<T>(n * out.size()), n, order_, job.memory.centre, lane.scratch};
    for (size_t i = 0; i < n; ++i) {
      const Payload payload{payloads_[i * each_ + job.payload], messages_[i].sender};
      compressor.Decode(site, lane, {&payload, 1}, std::span<const T>(&weight, 1), Into::kWrite, decoded.Of(i));
    }
    gradwire::Combine<T>(*context_.aggregate, decoded, out);
    if (!dense) ReceiveMean<T>(context_.link, context_.compressor, site, job.memory, out);
  }

  void Vote(const Site& site, Lane& lane, size_t payload, std::span<T> out) const {
    Decode(site, lane, payload, context_.compressor, 1, out);
    for (T& sum : out) sum = static_cast<T>((sum > 0) - (sum < 0));
  }

  double Weight(const Link& link, const PlannedPiece& planned) const {
    return ReceiveWeight<T>(link, round_.LrOf(planned.parameter), static_cast<int>(messages_.size()));
  }

  /// The weighted sum of that payload of each message. A gate that was closed left an empty one; who was not drawn
  /// has no weight.
  void Decode(const Site& site, Lane& lane, size_t payload, const Compressor& compressor, double weight,
              std::span<T> out, bool all_send = false) const {
    const Scratch::Scope scope(lane.scratch);
    const std::span<Payload> payloads = lane.scratch.template Make<Payload>(messages_.size());
    const std::span<T> weights = lane.scratch.template Take<T>(messages_.size());
    size_t count = 0;
    for (size_t i = 0; i < messages_.size(); ++i) {
      const Bytes bytes = payloads_[i * each_ + payload];
      const uint32_t sender = messages_[i].sender;
      const double share = all_send || shares_.empty() ? 1 : shares_[sender];
      if (share == 0 && !bytes.empty())
        throw PeerError(static_cast<int>(sender),
                        fmt::format("rank {} was not drawn and sent {} bytes, expected none", sender, bytes.size()));
      if (share == 0 || (bytes.empty() && MayBeEmpty())) continue;
      payloads[count] = {bytes, sender};
      weights[count++] = static_cast<T>(context_.votes && !all_send ? Ballots(share) : share * weight);
    }
    compressor.Decode(site, lane, payloads.first(count), std::span<const T>(weights.first(count)), into_, out);
  }

  bool MayBeEmpty() const { return context_.link.gate != Gate::kOpen || context_.may_be_silent; }

  /// How often a worker was drawn, of its weight in a mean.
  double Ballots(double share) const {
    if (shares_.empty()) return 1;
    return context_.participation->TimesDrawn(share, messages_.size());
  }

  const MessageContext<T>& context_;
  const MessagePlan& plan_;
  const Round& round_;
  const std::span<const From> messages_;
  const Scratch::Scope scope_;
  const size_t each_;                     // payloads in a message
  const std::span<Bytes> payloads_;       // by message, then in its order
  const std::span<Job> jobs_;             // by piece
  const std::span<const double> shares_;  // of the senders, by rank; empty: 1 each
  std::span<const uint32_t> order_ = {};  // of the senders, where the aggregate draws one
  Into into_ = Into::kWrite;              // kStream: what comes out is a mean that is not read here
};

}  // namespace

template <typename T>
void Unpack(const MessageContext<T>& context, const MessagePlan& plan, uint32_t bucket, const Round& round,
            std::span<const From> messages, std::span<T> values) {
  Unpacker<T>(context, plan, round, messages).Run(bucket, values);
}

template void Unpack(const MessageContext<float>&, const MessagePlan&, uint32_t, const Round&, std::span<const From>,
                     std::span<float>);
template void Unpack(const MessageContext<double>&, const MessagePlan&, uint32_t, const Round&, std::span<const From>,
                     std::span<double>);

}  // namespace gradwire
