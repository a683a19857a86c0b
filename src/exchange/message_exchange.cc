// SPDX-License-Identifier: Apache-2.0
#include "exchange/message_exchange.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/timer.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

std::span<std::byte> AsBytes(uint64_t& number) { return std::as_writable_bytes(std::span(&number, 1)); }

}  // namespace

MessageExchange::MessageExchange(Collective& collective, BufferPool& buffers, ExchangeStats& stats, const Frame& names)
    : collective_(collective),
      buffers_(buffers),
      stats_(stats),
      names_(names),
      id_(collective.Reserve()),
      lengths_id_(collective.Reserve()) {}

MessageExchange::~MessageExchange() {
  if (is_under_way_) return;
  for (Message& message : out_) buffers_.GiveBack(std::move(message.buffer));
  for (auto& [sender, message] : in_) buffers_.GiveBack(std::move(message.buffer));
}

void MessageExchange::Post(const MessagePlan& plan, std::vector<int> peers, Buffer message, const Packed& packed) {
  if (message.device != Device::kHost) throw Error("messages travel from the host's memory only");
  out_.push_back({&plan, std::move(peers), std::move(message), packed.bytes, packed.rates});
  poisoned |= packed.poisoned;
}

void MessageExchange::Expect(int sender, const MessagePlan& plan, uint32_t rates) {
  Message& message = in_[sender];
  message.plan = &plan;
  message.rates = rates;
  if (sender == collective_.rank()) return;
  message.buffer = TakeBuffer(plan);
  message.length = plan.bytes;
}

Frame MessageExchange::FrameOf(uint32_t sender, const Message& message) const {
  Frame frame = names_;
  frame.sender = sender;
  frame.layout = message.plan->layout;
  frame.rates = message.rates;
  return frame;
}

uint64_t MessageExchange::Start() {
  const int rank = collective_.rank();
  std::vector<Outgoing> outgoing;
  for (Message& message : out_) {
    Frame frame = FrameOf(static_cast<uint32_t>(rank), message);
    if (poisoned) frame.flags |= Frame::kPoisoned;
    Seal(frame, message.bytes());
    for (const int peer : message.peers)
      if (peer != rank) outgoing.push_back({peer, message.bytes()});
  }
  const Timer timer(stats_.wire_s);
  is_under_way_ = true;
  waits_for_lengths_ = StartLengths();
  const Ticket ticket = collective_.Start(id_, outgoing, ReceiveBuffers(/*variable=*/false));
  stats_.frame_bytes += sizeof(Frame) * outgoing.size();
  stats_.payload_bytes += ticket.bytes_sent - sizeof(Frame) * outgoing.size();
  return waits_for_lengths_ ? lengths_id_ : id_;
}

/// Where messages vary in size, their lengths travel beside them: a receiver posts its buffer by the length.
bool MessageExchange::StartLengths() {
  std::vector<Outgoing> outgoing;
  std::vector<Incoming> incoming;
  const int rank = collective_.rank();
  for (Message& message : out_)
    for (const int peer : message.peers)
      if (peer != rank && message.plan->variable) outgoing.push_back({peer, AsBytes(message.length)});
  for (auto& [sender, message] : in_)
    if (message.buffer && message.plan->variable) incoming.push_back({sender, AsBytes(message.length)});
  if (outgoing.empty() && incoming.empty()) return false;
  stats_.frame_bytes += collective_.Start(lengths_id_, outgoing, incoming).bytes_sent;
  return true;
}

std::vector<Incoming> MessageExchange::ReceiveBuffers(bool variable) {
  std::vector<Incoming> incoming;
  for (auto& [sender, message] : in_) {
    if (!message.buffer || message.plan->variable != variable) continue;
    if (message.length > message.plan->bytes || message.length < sizeof(Frame))
      throw PeerError(sender, fmt::format("rank {} announced a message of {} bytes for bucket {}, expected {} to {}",
                                          sender, message.length, names_.bucket, sizeof(Frame), message.plan->bytes));
    incoming.push_back({sender, message.bytes()});
  }
  return incoming;
}

std::optional<uint64_t> MessageExchange::Resume() {
  if (waits_for_lengths_) {
    waits_for_lengths_ = false;
    if (const auto incoming = ReceiveBuffers(/*variable=*/true); !incoming.empty())
      collective_.Start(id_, {}, incoming);
    return id_;
  }
  is_under_way_ = false;
  CheckFrames();
  return std::nullopt;
}

void MessageExchange::CheckFrames() {
  const Timer timer(stats_.decode_s);
  // A rank whose gradients are all unused may have joined (DDP's join) and follow no schedule any more: its rates are
  // not compared, as what it receives is not used.
  const bool is_idle = std::ranges::all_of(out_, [](const Message& message) { return message.rates == 0; });
  for (const auto& [sender, message] : in_) {
    const Frame expected = FrameOf(static_cast<uint32_t>(sender), message);
    const Frame frame = Open(Read(sender).message, expected, is_idle && message.rates != 0);
    is_any_poisoned_ |= (frame.flags & Frame::kPoisoned) != 0;
  }
}

std::vector<From> MessageExchange::ReadAll() const {
  std::vector<From> messages;
  for (const auto& [sender, message] : in_) messages.push_back(Read(sender));
  return messages;
}

From MessageExchange::Read(int sender) const {
  const Message& message = in_.at(sender);
  if (message.buffer) return {message.bytes(), static_cast<uint32_t>(sender)};
  for (const Message& own : out_)
    if (std::ranges::count(own.peers, sender)) return {own.bytes(), static_cast<uint32_t>(sender)};
  throw Error("MessageExchange: a message to this rank itself was expected and not posted");
}

}  // namespace gradwire
