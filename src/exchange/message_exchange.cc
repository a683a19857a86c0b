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
      lengths_id_(collective.Reserve()),
      out_(&buffers.lists()),
      in_(&buffers.lists()) {}

MessageExchange::~MessageExchange() {
  if (is_under_way_) return;
  for (Message& message : out_) buffers_.GiveBack(std::move(message.buffer));
  for (Message& message : in_) buffers_.GiveBack(std::move(message.buffer));
}

/// Calls act(rank) for each other rank that gets the message.
template <typename Act>
void MessageExchange::ForPeers(const Message& message, const Act& act) const {
  for (int peer = 0; peer < collective_.size(); ++peer)
    if (peer != collective_.rank() && (message.peer == kAll || message.peer == peer)) act(peer);
}

void MessageExchange::Post(const MessagePlan& plan, int peer, Buffer message, const Packed& packed) {
  if (message.device != Device::kHost) throw Error("messages travel from the host's memory only");
  out_.push_back({&plan, peer, std::move(message), packed.bytes, packed.rates});
  poisoned |= packed.poisoned;
  stats_.paper_bits += packed.paper_bits;
}

void MessageExchange::Expect(int sender, const MessagePlan& plan, uint32_t rates) {
  Message& message = in_.emplace_back();
  message.plan = &plan;
  message.peer = sender;
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
  std::pmr::vector<Outgoing> outgoing(&buffers_.lists());
  for (const Message& message : out_) {
    Frame frame = FrameOf(static_cast<uint32_t>(collective_.rank()), message);
    if (poisoned) frame.flags |= Frame::kPoisoned;
    Seal(frame, message.bytes());
    ForPeers(message, [&](int peer) { outgoing.push_back({peer, message.bytes()}); });
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
  std::pmr::vector<Outgoing> outgoing(&buffers_.lists());
  std::pmr::vector<Incoming> incoming(&buffers_.lists());
  for (Message& message : out_)
    if (message.plan->variable)
      ForPeers(message, [&](int peer) { outgoing.push_back({peer, AsBytes(message.length)}); });
  for (Message& message : in_)
    if (message.buffer && message.plan->variable) incoming.push_back({message.peer, AsBytes(message.length)});
  if (outgoing.empty() && incoming.empty()) return false;
  stats_.frame_bytes += collective_.Start(lengths_id_, outgoing, incoming).bytes_sent;
  return true;
}

std::pmr::vector<Incoming> MessageExchange::ReceiveBuffers(bool variable) {
  std::pmr::vector<Incoming> incoming(&buffers_.lists());
  for (const Message& message : in_) {
    if (!message.buffer || message.plan->variable != variable) continue;
    if (message.length > message.plan->bytes || message.length < sizeof(Frame))
      throw PeerError(message.peer,
                      fmt::format("rank {} announced a message of {} bytes for bucket {}, expected {} to {}",
                                  message.peer, message.length, names_.bucket, sizeof(Frame), message.plan->bytes));
    // The memory may be an earlier message's: a frame that came in half must not be completed by that one's.
    std::ranges::fill(message.bytes().first(sizeof(Frame)), std::byte{0});
    incoming.push_back({message.peer, message.bytes()});
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
  for (const Message& message : in_) {
    const Frame expected = FrameOf(static_cast<uint32_t>(message.peer), message);
    const Frame frame = Open(Read(message).message, expected, is_idle && message.rates != 0);
    is_any_poisoned_ |= (frame.flags & Frame::kPoisoned) != 0;
  }
}

std::pmr::vector<From> MessageExchange::ReadAll() const {
  std::pmr::vector<From> messages(&buffers_.lists());
  for (const Message& message : in_) messages.push_back(Read(message));
  return messages;
}

From MessageExchange::Read(const Message& message) const {
  const auto sender = static_cast<uint32_t>(message.peer);
  if (message.buffer) return {message.bytes(), sender};
  for (const Message& own : out_)
    if (own.peer == kAll || own.peer == message.peer) return {own.bytes(), sender};
  throw Error("MessageExchange: a message to this rank itself was expected and not posted");
}

}  // namespace gradwire
