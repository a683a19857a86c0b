// SPDX-License-Identifier: Apache-2.0
#include "exchange/pack.h"

#include <algorithm>
#include <cstring>

#include <xxhash.h>

#include "gradwire/error.h"
#include "kernels/add.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

template <typename T>
class Packer {
 public:
  Packer(ExchangeCore<T>& core, const Channel<T>& channel, const MessagePlan& plan, const Round& round)
      : core_(core), channel_(channel), plan_(plan), round_(round), is_absent_(IsAbsent()) {}

  Packed Run(std::span<const T> values, std::span<std::byte> message) {
    for (const PlannedPiece& planned : plan_.pieces) {
      const auto v = values.subspan(planned.values, planned.piece.numel);
      const auto out = message.subspan(planned.payload, planned.bytes);
      const auto lesson = message.subspan(planned.lesson, planned.lesson_bytes);
      const bool finite = kernels::AllFinite(v);
      poisoned_ |= !finite;
      if (is_absent_ && !planned.dense)
        Skip(planned, v, finite);
      else if (!finite || IsUnused(v))
        Zeros(planned, out, lesson);
      else if (channel_.dense || planned.dense)
        Dense(planned, v, out);
      else if (channel_.learner && channel_.learning->moves_h)
        Changed(planned, v, out, lesson);
      else if (channel_.learner)
        Taught(planned, v, out, lesson);
      else
        SendPiece(planned, v, out);
    }
    return {plan_.variable ? Tighten(message) : Pad(message), poisoned_,
            has_sent_ ? RatesOf(channel_, plan_, round_) : 0};
  }

 private:
  bool IsAbsent() const {
    if (!channel_.participation) return false;
    const auto size = static_cast<size_t>(core_.collective.size());
    return channel_.participation->Weights(core_.parts.seed, round_.step, size)
               .at(static_cast<size_t>(core_.collective.rank())) == 0;
  }

  bool IsUnused(std::span<const T> v) const {
    return core_.parts.zeros_keep_memory && channel_.link.remembers() && !channel_.dense &&
           std::ranges::all_of(v, [](T x) { return x == 0; });
  }

  Site SiteOf(const PlannedPiece& planned) const {
    return {core_.parts.seed, channel_.purpose,  static_cast<uint32_t>(core_.collective.rank()),
            round_.step,      planned.parameter, planned.piece};
  }

  void SendPiece(const PlannedPiece& planned, std::span<const T> v, std::span<std::byte> out) {
    has_sent_ = true;
    sizes_.push_back(Send<T>(channel_.link, channel_.compressor, SiteOf(planned), core_.lane, channel_.state,
                             round_.LrOf(planned.parameter), v, out));
  }

  void Zeros(const PlannedPiece& planned, std::span<std::byte> out, std::span<std::byte> lesson) {
    const auto send = [&](const Link& link, const Compressor& compressor, std::span<std::byte> room) {
      sizes_.push_back(SendZeros<T>(link, compressor, SiteOf(planned), core_.lane, room));
    };
    const bool dense = channel_.dense || planned.dense;
    send(dense ? FindLink("raw") : channel_.link, dense ? *core_.dense : channel_.compressor, out);
    if (planned.lesson_bytes > 0) send(*channel_.learning, *channel_.learner, lesson);
  }

  /// Nothing is sent; what the next message is a difference to is kept, if it can be.
  void Skip(const PlannedPiece& planned, std::span<const T> v, bool finite) {
    if (finite && channel_.link.reference == Reference::kPrevious)
      std::ranges::copy(
          v, channel_.state.Vector(planned.parameter, "y").begin() + static_cast<std::ptrdiff_t>(planned.piece.begin));
    sizes_.push_back(0);
  }

  void Dense(const PlannedPiece& planned, std::span<const T> v, std::span<std::byte> out) {
    SendDense(planned.dense ? FindLink("raw") : channel_.link, SiteOf(planned), core_.lane, channel_.state, v, out);
    if (channel_.learner && !planned.dense)
      SendDense(*channel_.learning, SiteOf(planned), core_.lane, channel_.state, v, out);
    sizes_.push_back(out.size());
  }

  /// v - h + mean h through the link, v - h to the learner (METHODS M11).
  void Taught(const PlannedPiece& planned, std::span<const T> v, std::span<std::byte> out,
              std::span<std::byte> lesson) {
    const Scratch::Frame frame(core_.lane.scratch);
    const std::span<T> unknown = core_.lane.scratch.template Take<T>(v.size());
    const auto memory = [&](const char* name) {
      return channel_.state.Vector(planned.parameter, name).subspan(planned.piece.begin, planned.piece.numel);
    };
    kernels::Subtract<T>(v, memory("h"), unknown);
    kernels::Add<T>(memory("mean h"), unknown);
    SendPiece(planned, unknown, out);
    sizes_.push_back(Teach(planned, v, lesson));
  }

  /// The first message moves h, the second is the link's of what is left (3PCv2); on the wire they stand as ever.
  void Changed(const PlannedPiece& planned, std::span<const T> v, std::span<std::byte> out,
               std::span<std::byte> lesson) {
    const size_t taught = Teach(planned, v, lesson);
    SendPiece(planned, v, out);
    sizes_.push_back(taught);
  }

  size_t Teach(const PlannedPiece& planned, std::span<const T> v, std::span<std::byte> lesson) {
    Site site = SiteOf(planned);
    site.purpose = Purpose::kLearn;  // independent bits
    return Send<T>(*channel_.learning, *channel_.learner, site, core_.lane, channel_.state,
                   round_.LrOf(planned.parameter), v, lesson);
  }

  size_t Pad(std::span<std::byte> message) const {
    const auto pad = [&](size_t at, size_t bytes) {
      std::fill_n(message.data() + at + bytes, AlignPayload(bytes) - bytes, std::byte{0});
    };
    for (const PlannedPiece& planned : plan_.pieces) {
      pad(planned.payload, planned.bytes);
      if (planned.lesson_bytes > 0) pad(planned.lesson, planned.lesson_bytes);
    }
    return message.size();
  }

  /// Writes the table of sizes, and moves the payloads up to each other.
  size_t Tighten(std::span<std::byte> message) const {
    const size_t table = AlignPayload(sizes_.size() * sizeof(uint32_t));
    std::fill_n(message.data() + sizeof(Frame), table, std::byte{0});
    size_t next = sizeof(Frame) + table, i = 0;
    const auto move = [&](size_t from) {
      const auto bytes = static_cast<uint32_t>(sizes_[i]);
      std::memcpy(message.data() + sizeof(Frame) + i++ * sizeof(uint32_t), &bytes, sizeof(bytes));
      std::memmove(message.data() + next, message.data() + from, bytes);
      std::fill_n(message.data() + next + bytes, AlignPayload(bytes) - bytes, std::byte{0});
      next += AlignPayload(bytes);
    };
    for (const PlannedPiece& planned : plan_.pieces) {
      move(planned.payload);
      if (planned.lesson_bytes > 0) move(planned.lesson);
    }
    return next;
  }

  ExchangeCore<T>& core_;
  const Channel<T>& channel_;
  const MessagePlan& plan_;
  const Round& round_;
  std::vector<size_t> sizes_;  // of the payloads, in order
  bool poisoned_ = false, has_sent_ = false;
  const bool is_absent_;  // this rank, from the round
};

}  // namespace

template <typename T>
uint32_t RatesOf(const Channel<T>& channel, const MessagePlan& plan, const Round& round) {
  if (!channel.link.step_inside || channel.dense) return 0;
  std::vector<float> rates;
  for (const PlannedPiece& planned : plan.pieces)
    if (!planned.dense) rates.push_back(static_cast<float>(round.LrOf(planned.parameter)));
  return std::max(uint32_t{1}, static_cast<uint32_t>(XXH3_64bits(rates.data(), rates.size() * sizeof(float))));
}

template <typename T>
Packed Pack(ExchangeCore<T>& core, const Channel<T>& channel, const MessagePlan& plan, const Round& round,
            std::span<const T> values, std::span<std::byte> message) {
  return Packer<T>(core, channel, plan, round).Run(values, message);
}

template uint32_t RatesOf(const Channel<float>&, const MessagePlan&, const Round&);
template uint32_t RatesOf(const Channel<double>&, const MessagePlan&, const Round&);
template Packed Pack(ExchangeCore<float>&, const Channel<float>&, const MessagePlan&, const Round&,
                     std::span<const float>, std::span<std::byte>);
template Packed Pack(ExchangeCore<double>&, const Channel<double>&, const MessagePlan&, const Round&,
                     std::span<const double>, std::span<std::byte>);

}  // namespace gradwire
