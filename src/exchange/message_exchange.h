// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <vector>

#include "gradwire/collective.h"
#include "gradwire/exchange_parts.h"
#include "message/pack.h"
#include "message/unpack.h"
#include "wire/wire.h"

namespace gradwire {

/// One exchange of framed messages for a bucket: Post and Expect all, Start, Resume until all are there, then read. A
/// rank's message to itself stays in memory, and is opened like any other. Its buffers live until the collective is
/// done with them.
class MessageExchange {
 public:
  /// `names`: token, step, channel, bucket and direction of all its frames. Reserves its place among the operations of
  /// all ranks. All else outlives it.
  MessageExchange(Collective& collective, BufferPool& buffers, ExchangeStats& stats, const Frame& names);
  ~MessageExchange();
  MessageExchange(const MessageExchange&) = delete;
  MessageExchange& operator=(const MessageExchange&) = delete;

  /// Room for a message of that plan.
  Buffer TakeBuffer(const MessagePlan& plan) { return buffers_.Take(plan.bytes); }
  /// What Pack has made of such a buffer goes to this rank, perhaps to itself, or to all (kAll). `plan` must stay.
  void Post(const MessagePlan& plan, int peer, Buffer message, const Packed& packed);
  /// A message will come from this rank, called in the order of ranks. `rates`: see RatesOf; 0 says nothing of them.
  /// `plan` must stay.
  void Expect(int sender, const MessagePlan& plan, uint32_t rates);

  /// Frames the messages, all of them poisoned where one is, and hands them to the transport. Returns the operation
  /// whose end to wait for.
  uint64_t Start();
  /// After that. None: all messages are there and their frames checked; else their lengths were, and this operation is
  /// to be waited for. Throws PeerError.
  std::optional<uint64_t> Resume();
  /// The messages that are there, by sender.
  std::pmr::vector<From> ReadAll() const;
  bool is_any_poisoned() const { return is_any_poisoned_; }

  static constexpr int kAll = -1;
  bool poisoned = false;  ///< set before Start: flags what this rank sends

 private:
  struct Message {
    const MessagePlan* plan = nullptr;
    int peer = kAll;      ///< who gets it, or sent it
    Buffer buffer = {};   ///< none where this rank sent it to itself
    uint64_t length = 0;  ///< of the message; what arrives in the round of lengths where it varies
    uint32_t rates = 0;
    std::span<std::byte> bytes() const { return {buffer.memory.get(), length}; }
  };

  Frame FrameOf(uint32_t sender, const Message& message) const;
  From Read(const Message& message) const;
  template <typename Act>
  void ForPeers(const Message& message, const Act& act) const;
  /// Whether there is one.
  bool StartLengths();
  /// Where messages are to come in whose lengths are (not) fixed beforehand.
  std::pmr::vector<Incoming> ReceiveBuffers(bool variable);
  void CheckFrames();

  Collective& collective_;
  BufferPool& buffers_;
  ExchangeStats& stats_;
  const Frame names_;
  const uint64_t id_, lengths_id_;
  std::pmr::vector<Message> out_, in_;  // in_: by sender
  bool waits_for_lengths_ = false, is_under_way_ = false, is_any_poisoned_ = false;
};

}  // namespace gradwire
