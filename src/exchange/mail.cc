// SPDX-License-Identifier: Apache-2.0
#include "exchange/mail.h"

#include <algorithm>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

std::span<std::byte> AsBytes(uint64_t& number) { return std::as_writable_bytes(std::span(&number, 1)); }

}  // namespace

template <typename T>
Mail<T>::Mail(ExchangeCore<T>& core, const Round& round, uint32_t bucket, uint16_t flags)
    : core_(core),
      stats_(core.stats[bucket]),
      round_(round),
      bucket_(bucket),
      flags_(flags),
      id_(core.collective.Reserve()),
      lengths_id_(core.collective.Reserve()) {}

template <typename T>
Mail<T>::~Mail() {
  if (under_way_) return;
  for (Letter& letter : out_) GiveBack(letter);
  for (auto& [sender, letter] : in_) GiveBack(letter);
}

template <typename T>
typename Mail<T>::Memory Mail<T>::TakeBuffer(size_t bytes) {
  const auto found = core_.free_buffers.extract(bytes);
  if (!found.empty()) return std::move(found.mapped());
  return std::make_unique_for_overwrite<std::byte[]>(bytes);
}

template <typename T>
void Mail<T>::GiveBack(Letter& letter) {
  if (letter.memory) core_.free_buffers.emplace(letter.plan->bytes, std::move(letter.memory));
}

template <typename T>
void Mail<T>::Compose(const MessagePlan& plan, std::vector<int> peers,
                      const std::function<Packed(std::span<std::byte>)>& pack) {
  Letter& letter = out_.emplace_back();
  letter.plan = &plan;
  letter.peers = std::move(peers);
  letter.memory = TakeBuffer(plan.bytes);
  const Packed packed = pack({letter.memory.get(), plan.bytes});
  letter.bytes = packed.bytes;
  letter.rates = packed.rates;
  poisoned |= packed.poisoned;
}

template <typename T>
void Mail<T>::Expect(int sender, const MessagePlan& plan, uint32_t rates) {
  Letter& letter = in_[sender];
  letter.plan = &plan;
  letter.rates = rates;
  if (sender == core_.collective.rank()) return;
  letter.memory = TakeBuffer(plan.bytes);
  letter.bytes = plan.bytes;
}

template <typename T>
Frame Mail<T>::FrameOf(uint32_t sender, const Letter& letter) const {
  Frame frame;
  frame.flags = flags_;
  frame.token = core_.token;
  frame.step = round_.step;
  frame.bucket = bucket_;
  frame.sender = sender;
  frame.layout = letter.plan->layout;
  frame.payloads = letter.plan->payloads();
  frame.rates = letter.rates;
  return frame;
}

template <typename T>
void Mail<T>::Start() {
  const int rank = core_.collective.rank();
  std::vector<Outgoing> outgoing;
  for (Letter& letter : out_) {
    Frame frame = FrameOf(static_cast<uint32_t>(rank), letter);
    if (poisoned) frame.flags |= Frame::kPoisoned;
    Seal(frame, letter.message());
    for (const int peer : letter.peers)
      if (peer != rank) outgoing.push_back({peer, letter.message()});
  }
  const Timer timer(stats_.wire_s);
  under_way_ = true;
  StartLengths();
  const Ticket ticket = core_.collective.Start(id_, outgoing, Rooms(/*variable=*/false));
  stats_.frame_bytes += sizeof(Frame) * outgoing.size();
  stats_.payload_bytes += ticket.bytes_sent - sizeof(Frame) * outgoing.size();
}

/// Where messages vary in size, their lengths travel beside them: a receiver posts its buffer by the length.
template <typename T>
void Mail<T>::StartLengths() {
  std::vector<Outgoing> outgoing;
  std::vector<Incoming> incoming;
  const int rank = core_.collective.rank();
  for (Letter& letter : out_)
    for (const int peer : letter.peers)
      if (peer != rank && letter.plan->variable) outgoing.push_back({peer, AsBytes(letter.bytes)});
  for (auto& [sender, letter] : in_)
    if (letter.memory && letter.plan->variable) incoming.push_back({sender, AsBytes(letter.bytes)});
  has_lengths_ = !outgoing.empty() || !incoming.empty();
  if (!has_lengths_) return;
  stats_.frame_bytes += core_.collective.Start(lengths_id_, outgoing, incoming).bytes_sent;
}

template <typename T>
std::vector<Incoming> Mail<T>::Rooms(bool variable) {
  std::vector<Incoming> incoming;
  for (auto& [sender, letter] : in_) {
    if (!letter.memory || letter.plan->variable != variable) continue;
    if (letter.bytes > letter.plan->bytes || letter.bytes < sizeof(Frame))
      throw PeerError(sender, fmt::format("rank {} announced a message of {} bytes for bucket {}, expected {} to {}",
                                          sender, letter.bytes, bucket_, sizeof(Frame), letter.plan->bytes));
    incoming.push_back({sender, letter.message()});
  }
  return incoming;
}

template <typename T>
bool Mail<T>::Advance() {
  if (has_lengths_) {
    has_lengths_ = false;
    if (const auto incoming = Rooms(/*variable=*/true); !incoming.empty()) core_.collective.Start(id_, {}, incoming);
    return false;
  }
  under_way_ = false;
  const Timer timer(stats_.decode_s);
  // A rank whose gradients are all unused may have joined (DDP's join) and follow no schedule any more: its rates are
  // not compared, as what it receives is not used.
  const bool is_idle = std::ranges::all_of(out_, [](const Letter& letter) { return letter.rates == 0; });
  for (const auto& [sender, letter] : in_) {
    const Frame expected = FrameOf(static_cast<uint32_t>(sender), letter);
    const Frame frame = Open(Read(sender).message, expected, is_idle && letter.rates != 0);
    is_any_poisoned_ |= (frame.flags & Frame::kPoisoned) != 0;
  }
  return true;
}

template <typename T>
From Mail<T>::Read(int sender) const {
  const Letter& letter = in_.at(sender);
  if (letter.memory) return {letter.message(), static_cast<uint32_t>(sender)};
  for (const Letter& own : out_)
    if (std::ranges::count(own.peers, sender)) return {own.message(), static_cast<uint32_t>(sender)};
  throw Error("Mail: a message to this rank itself was expected and not composed");
}

template class Mail<float>;
template class Mail<double>;

}  // namespace gradwire
