// SPDX-License-Identifier: Apache-2.0
#include "exchange/link_end.h"

#include <fmt/format.h>

#include "exchange/core.h"
#include "exchange/pack.h"
#include "gradwire/error.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

/// A rank that is asked for its number only: a link between two needs no collective.
class NoCollective final : public Collective {
 public:
  explicit NoCollective(int rank) : rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return 1; }
  uint64_t Reserve() override { throw Error("a link between two has no collective operations"); }
  Ticket Start(uint64_t, std::span<const Outgoing>, std::span<const Incoming>) override { return {Reserve(), 0}; }
  Ticket StartAllReduce(std::span<float>) override { return {Reserve(), 0}; }
  Ticket StartAllReduce(std::span<double>) override { return {Reserve(), 0}; }
  void Finish(const Ticket&) override {}
  void Cancel() override {}
  std::vector<std::string> GatherText(std::string_view) override { throw Error("a link between two gathers nothing"); }

 private:
  int rank_;
};

/// Both directions of a way have the same message: all pieces, whoever would own them.
ExchangeParts OneWay(ExchangeParts parts) {
  parts.topology = Topology::kAllGather;
  parts.down_compressor = nullptr;
  return parts;
}

std::vector<Segment> Whole(const std::vector<Parameter>& parameters) {
  std::vector<Segment> segments;
  size_t offset = 0;
  for (uint32_t p = 0; p < parameters.size(); ++p) {
    segments.push_back({p, offset, parameters[p].numel()});
    offset += parameters[p].numel();
  }
  return segments;
}

}  // namespace

template <typename T>
struct LinkEnd<T>::Parts {
  Parts(std::vector<Parameter> parameters, ExchangeParts parts, int worker, uint64_t token, Purpose purpose_of_bits)
      : collective(worker),
        purpose(purpose_of_bits),
        core(collective, std::move(parameters), OneWay(std::move(parts))),
        segments(Whole(core.parameters)) {
    core.token = token;
    core.MakeMemory();
    core.opening = 0;
  }

  std::shared_ptr<const BucketPlan> Plan(bool dense) {
    Bucket<T> bucket{0, segments, {}};
    bucket.values = std::span<T>(static_cast<T*>(nullptr), numel());  // for its length
    return core.PlanOf(bucket, dense);
  }
  size_t numel() const { return segments.empty() ? 0 : segments.back().offset + segments.back().numel; }
  Frame FrameOf(uint64_t number, const MessagePlan& plan) const {
    Frame frame;
    frame.token = core.token;
    frame.step = number;
    frame.sender = static_cast<uint32_t>(collective.rank());
    frame.layout = plan.layout;
    frame.payloads = plan.payloads();
    return frame;
  }

  Channel<T> ChannelOf(bool dense) {
    Channel<T> channel = UpChannel(core, dense);
    return {channel.link, channel.compressor, channel.learner, channel.learning, purpose, channel.state, dense};
  }

  NoCollective collective;
  const Purpose purpose;
  ExchangeCore<T> core;
  std::vector<Segment> segments;
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
  const bool dense = parts_->core.IsDense(number);
  const auto plan = parts_->Plan(dense);
  const MessagePlan& message_plan = plan->up[0];
  std::vector<std::byte> message(message_plan.bytes);
  const Round round(number, lr);
  const Packed packed = gradwire::Pack<T>(parts_->core, parts_->ChannelOf(dense), message_plan, round, values, message);
  if (packed.poisoned)
    throw Error(fmt::format("worker {}, message {}: a non-finite element", parts_->collective.rank(), number));
  message.resize(packed.bytes);
  Seal(parts_->FrameOf(number, message_plan), message);
  parts_->stats.frame_bytes += sizeof(Frame);
  parts_->stats.payload_bytes += message.size() - sizeof(Frame);
  return message;
}

template <typename T>
void LinkEnd<T>::Unpack(uint64_t number, double lr, std::span<const std::byte> message, std::span<T> values) {
  const Timer timer(parts_->stats.decode_s);
  const bool dense = parts_->core.IsDense(number);
  const auto plan = parts_->Plan(dense);
  const MessagePlan& message_plan = plan->up[0];
  const bool fits = message_plan.variable ? message.size() <= message_plan.bytes : message.size() == message_plan.bytes;
  const int worker = parts_->collective.rank();
  if (!fits || message.size() < sizeof(Frame))
    throw PeerError(worker, fmt::format("message {} of worker {} has {} bytes, expected {}{}", number, worker,
                                        message.size(), message_plan.variable ? "at most " : "", message_plan.bytes));
  Open(message, parts_->FrameOf(number, message_plan));
  const From from{message, static_cast<uint32_t>(worker)};
  gradwire::Unpack<T>(parts_->core, parts_->ChannelOf(dense), message_plan, 0, Round(number, lr), {&from, 1}, values);
}

template <typename T>
size_t LinkEnd<T>::numel() const {
  return parts_->numel();
}

template <typename T>
double LinkEnd<T>::SquaredMemoryNorm(std::string_view slot) const {
  return parts_->core.state.SquaredNorm(slot);
}

template <typename T>
const ExchangeStats& LinkEnd<T>::stats() const {
  return parts_->stats;
}

template <typename T>
typename LinkEnd<T>::Memory LinkEnd<T>::Save() const {
  return {SaveVectors(parts_->core), parts_->stats};
}

template <typename T>
void LinkEnd<T>::Load(const Memory& memory) {
  LoadVectors(parts_->core, memory.vectors);
  parts_->core.opening = 0;
  parts_->stats = memory.stats;
}

template class LinkEnd<float>;
template class LinkEnd<double>;

}  // namespace gradwire
