// SPDX-License-Identifier: Apache-2.0
#include "message/link_end.h"

#include <cmath>

#include <fmt/format.h>

#include "base/symmetric.h"
#include "base/timer.h"
#include "gradwire/error.h"
#include "message/pack.h"
#include "message/unpack.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

/// Both directions of a way have the same message: all pieces, whoever would own them.
ExchangeParts OneWay(ExchangeParts parts) {
  parts.down_compressor = nullptr;
  return parts;
}

}  // namespace

template <typename T>
struct LinkEnd<T>::Parts {
  Parts(std::vector<Parameter> parameters, ExchangeParts parts, int worker, uint64_t token, Purpose purpose)
      : channel(std::move(parameters), OneWay(std::move(parts)), static_cast<uint32_t>(worker), /*ranks=*/1,
                /*owners=*/0),
        segments(AllSegments(channel.parameters)),
        token(token),
        purpose(purpose) {
    CheckSymmetric(channel.parameters);
    if (channel.parts.link.iterates)
      throw Error(fmt::format("method {} sums over all ranks, and this link is between two", channel.parts.method));
    CheckShapes(channel.parts, channel.parameters);
    CheckModelScope(channel.parts, channel.parameters, /*gathers=*/true);
    channel.opening = 0;
  }

  MessageContext<T> Context(bool dense) {
    MessageContext<T> context = channel.Up(dense, lane, purpose);
    context.participation = nullptr, context.votes = false;  // both are a round's, and there is none
    return context;
  }
  /// An operator that must see all of the vector sees it.
  void ShowModel(const Round& round, std::span<const T> values) {
    if (!channel.sees_model()) return;
    channel.SetNorm(round, std::sqrt(channel.SquaredNorm(round, 0, segments, values, lane)));
  }
  size_t numel() const { return segments.empty() ? 0 : segments.back().offset + segments.back().numel; }
  Frame FrameOf(uint64_t number, const MessagePlan& plan) const {
    Frame frame;
    frame.token = token;
    frame.step = number;
    frame.sender = channel.rank;
    frame.layout = plan.layout;
    return frame;
  }

  Channel<T> channel;
  std::vector<Segment> segments;
  const uint64_t token;
  const Purpose purpose;
  Lane lane;
  ExchangeStats stats;
};

template <typename T>
LinkEnd<T>::LinkEnd(std::vector<Parameter> parameters, ExchangeParts parts, int worker, uint64_t token, Purpose purpose)
    : parts_(std::make_unique<Parts>(std::move(parameters), std::move(parts), worker, token, purpose)) {}

template <typename T>
LinkEnd<T>::~LinkEnd() = default;
template <typename T>
LinkEnd<T>::LinkEnd(LinkEnd&&) noexcept = default;

template <typename T>
std::vector<std::byte> LinkEnd<T>::Pack(uint64_t number, double lr, std::span<const T> values) {
  const Timer timer(parts_->stats.encode_s);
  const Round round(number, lr);
  const bool dense = parts_->channel.IsDense(round);
  const auto plan = parts_->channel.PlanOf(0, parts_->segments, dense);
  const MessagePlan& message_plan = plan->up[0];
  CheckSegments(parts_->channel.parameters, parts_->segments, values.size());
  parts_->ShowModel(round, values);
  std::vector<std::byte> message(message_plan.bytes);
  const Packed packed = gradwire::Pack<T>(parts_->Context(dense), message_plan, round, values, message);
  if (packed.poisoned)
    throw Error(fmt::format("worker {}, message {}: a non-finite element", parts_->channel.rank, number));
  message.resize(packed.bytes);
  Seal(parts_->FrameOf(number, message_plan), message);
  parts_->stats.frame_bytes += sizeof(Frame);
  parts_->stats.payload_bytes += message.size() - sizeof(Frame);
  parts_->stats.paper_bits += packed.paper_bits;
  return message;
}

template <typename T>
void LinkEnd<T>::Unpack(uint64_t number, double lr, std::span<const std::byte> message, std::span<T> values) {
  const Timer timer(parts_->stats.decode_s);
  const Round round(number, lr);
  const bool dense = parts_->channel.IsDense(round);
  const auto plan = parts_->channel.PlanOf(0, parts_->segments, dense);
  const MessagePlan& message_plan = plan->up[0];
  const bool fits = message_plan.variable ? message.size() <= message_plan.bytes : message.size() == message_plan.bytes;
  const auto worker = static_cast<int>(parts_->channel.rank);
  if (!fits || message.size() < sizeof(Frame))
    throw PeerError(worker, fmt::format("message {} of worker {} has {} bytes, expected {}{}", number, worker,
                                        message.size(), message_plan.variable ? "at most " : "", message_plan.bytes));
  Open(message, parts_->FrameOf(number, message_plan));
  const From from{message, static_cast<uint32_t>(worker)};
  gradwire::Unpack<T>(parts_->Context(dense), message_plan, 0, round, {&from, 1}, values);
}

template <typename T>
size_t LinkEnd<T>::MostBytes(uint64_t number) {
  return parts_->channel.PlanOf(0, parts_->segments, parts_->channel.IsDense(Round(number)))->up[0].bytes;
}

template <typename T>
size_t LinkEnd<T>::numel() const {
  return parts_->numel();
}

template <typename T>
double LinkEnd<T>::SquaredMemoryNorm(std::string_view slot) const {
  return parts_->channel.state.SquaredNorm(slot);
}

template <typename T>
const ExchangeStats& LinkEnd<T>::stats() const {
  return parts_->stats;
}

template <typename T>
typename LinkEnd<T>::Memory LinkEnd<T>::Save() const {
  return {SaveVectors(parts_->channel), parts_->stats};
}

template <typename T>
void LinkEnd<T>::Load(const Memory& memory) {
  CheckVectors(parts_->channel, memory.vectors);
  LoadVectors(parts_->channel, memory.vectors);
  parts_->channel.opening = 0;
  parts_->stats = memory.stats;
}

template class LinkEnd<float>;
template class LinkEnd<double>;

}  // namespace gradwire
