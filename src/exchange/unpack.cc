// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "exchange/pack.h"
#include "gradwire/error.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

using Bytes = std::span<const std::byte>;

/// Where the payloads of a message lie, in order: as planned, or by its table of sizes, which is not believed.
std::vector<Bytes> PayloadsOf(const MessagePlan& plan, uint32_t bucket, const Round& round, const From& from) {
  std::vector<Bytes> payloads;
  const Bytes table = plan.variable ? from.message.subspan(sizeof(Frame)) : Bytes{};
  const size_t table_bytes = AlignPayload(plan.payloads() * sizeof(uint32_t));
  size_t next = sizeof(Frame) + table_bytes;
  const auto refuse = [&](const std::string& what) {
    throw PeerError(static_cast<int>(from.sender),
                    fmt::format("message from rank {}, bucket {}, step {}: {}", from.sender, bucket, round.step, what));
  };
  if (plan.variable && table.size() < table_bytes) refuse("shorter than its table of sizes");
  const auto take = [&](size_t planned, size_t most) {
    uint32_t bytes = static_cast<uint32_t>(most);
    if (plan.variable) {
      std::memcpy(&bytes, table.data() + payloads.size() * sizeof(uint32_t), sizeof(bytes));
      if (bytes > most || AlignPayload(bytes) > from.message.size() - next)
        refuse(fmt::format("payload {} of {} bytes, expected at most {}", payloads.size(), bytes,
                           std::min(most, from.message.size() - next)));
      planned = next;
      next += AlignPayload(bytes);
    }
    payloads.push_back(from.message.subspan(planned, bytes));
  };
  for (const PlannedPiece& planned : plan.pieces) {
    take(planned.payload, planned.bytes);
    if (planned.lesson_bytes > 0) take(planned.lesson, planned.lesson_bytes);
  }
  if (plan.variable && next != from.message.size()) refuse("longer than its payloads");
  return payloads;
}

template <typename T>
class Unpacker {
 public:
  Unpacker(ExchangeCore<T>& core, const Channel<T>& channel, const Round& round, std::span<const From> messages)
      : core_(core), channel_(channel), round_(round), messages_(messages) {
    if (channel.participation) shares_ = channel.participation->Weights(core.parts.seed, round.step, messages.size());
  }

  void Run(const MessagePlan& plan, uint32_t bucket, std::span<T> values) {
    for (const From& from : messages_) payloads_.push_back(PayloadsOf(plan, bucket, round_, from));
    for (const PlannedPiece& planned : plan.pieces) {
      try {
        Take(planned, values.subspan(planned.values, planned.piece.numel));
      } catch (const PeerError& error) {
        throw PeerError(error.rank(),
                        fmt::format("step {}, bucket {}, parameter {}, piece {}: {}", round_.step, bucket,
                                    core_.parameters[planned.parameter].name, planned.piece.index, error.what()));
      }
    }
  }

 private:
  void Take(const PlannedPiece& planned, std::span<T> out) {
    Site site{core_.parts.seed, channel_.purpose, 0, round_.step, planned.parameter, planned.piece};
    if (channel_.dense || planned.dense) {
      Decode(site, *core_.dense, 1.0 / static_cast<double>(messages_.size()), out, /*all_send=*/true);
      if (channel_.dense && !planned.dense) ReceiveDense<T>(channel_.link, site, channel_.state, out);
      return;
    }
    if (channel_.votes) return Vote(site, out);
    Decode(site, channel_.compressor, Weight(channel_.link, planned), out);
    ReceiveMean<T>(channel_.link, channel_.compressor, site, channel_.state, out);
    if (planned.lesson_bytes == 0) return;
    site.purpose = Purpose::kLearn;
    const Scratch::Frame frame(core_.lane.scratch);
    const std::span<T> lesson = core_.lane.scratch.template Take<T>(out.size());
    Decode(site, *channel_.learner, Weight(*channel_.learning, planned), lesson);
    ReceiveMean<T>(*channel_.learning, *channel_.learner, site, channel_.state, lesson);
    if (channel_.learning->takes_shift) std::ranges::copy(lesson, out.begin());
  }

  void Vote(const Site& site, std::span<T> out) {
    Decode(site, channel_.compressor, 1, out);
    for (T& sum : out) sum = static_cast<T>((sum > 0) - (sum < 0));
  }

  double Weight(const Link& link, const PlannedPiece& planned) const {
    return ReceiveWeight<T>(link, round_.LrOf(planned.parameter), static_cast<int>(messages_.size()));
  }

  /// The weighted sum of the next payload of each message. A gate that was closed left an empty one; who was not drawn
  /// has no weight.
  void Decode(const Site& site, const Compressor& compressor, double weight, std::span<T> out, bool all_send = false) {
    std::vector<Payload> payloads;
    std::vector<T> weights;
    for (size_t i = 0; i < messages_.size(); ++i) {
      const Bytes bytes = payloads_[i][next_];
      const uint32_t sender = messages_[i].sender;
      const double share = all_send || shares_.empty() ? 1 : shares_.at(sender);
      if (share == 0 && !bytes.empty())
        throw PeerError(static_cast<int>(sender),
                        fmt::format("rank {} was not drawn and sent {} bytes, expected none", sender, bytes.size()));
      if (share == 0 || (bytes.empty() && channel_.link.gate != Gate::kOpen)) continue;
      payloads.push_back({bytes, sender});
      weights.push_back(static_cast<T>(channel_.votes && !all_send ? Ballots(share) : share * weight));
    }
    ++next_;
    compressor.Decode(site, core_.lane, payloads, std::span<const T>(weights), false, out);
  }

  /// How often a worker was drawn, of its weight in a mean.
  double Ballots(double share) const {
    if (shares_.empty()) return 1;
    const auto drawn = static_cast<double>(channel_.participation->CountOf(messages_.size()));
    return std::round(share * drawn / static_cast<double>(messages_.size()));
  }

  ExchangeCore<T>& core_;
  const Channel<T>& channel_;
  const Round& round_;
  const std::span<const From> messages_;
  std::vector<std::vector<Bytes>> payloads_;  // by message
  size_t next_ = 0;                           // payload
  std::vector<double> shares_;                // of the senders, by rank; empty: 1 each
};

}  // namespace

template <typename T>
void Unpack(ExchangeCore<T>& core, const Channel<T>& channel, const MessagePlan& plan, uint32_t bucket,
            const Round& round, std::span<const From> messages, std::span<T> values) {
  Unpacker<T>(core, channel, round, messages).Run(plan, bucket, values);
}

template void Unpack(ExchangeCore<float>&, const Channel<float>&, const MessagePlan&, uint32_t, const Round&,
                     std::span<const From>, std::span<float>);
template void Unpack(ExchangeCore<double>&, const Channel<double>&, const MessagePlan&, uint32_t, const Round&,
                     std::span<const From>, std::span<double>);

}  // namespace gradwire
