// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "exchange/core.h"
#include "exchange/pack.h"
#include "wire/wire.h"

namespace gradwire {

/// One exchange of framed messages for a bucket: Compose and Expect all, Start, Advance until all are there, then read.
/// A rank's message to itself stays in memory, and is opened like any other. Its buffers live until the collective is
/// done with them.
template <typename T>
class Mail {
 public:
  /// `flags`: Frame::kDown or 0. Reserves its place among the operations of all ranks.
  Mail(ExchangeCore<T>& core, const Round& round, uint32_t bucket, uint16_t flags);
  ~Mail();
  Mail(const Mail&) = delete;
  Mail& operator=(const Mail&) = delete;

  /// A message to these ranks, perhaps this one among them, filled by `pack`.
  void Compose(const MessagePlan& plan, std::vector<int> peers,
               const std::function<Packed(std::span<std::byte>)>& pack);
  /// A message will come from this rank. `rates`: see RatesOf; 0 says nothing of them.
  void Expect(int sender, const MessagePlan& plan, uint32_t rates);

  /// Frames the messages, all of them poisoned where one is, and hands them to the transport.
  void Start();
  /// The operation whose end to wait for.
  uint64_t awaits() const { return has_lengths_ ? lengths_id_ : id_; }
  /// After that. True: all messages are there and their frames checked; false: their lengths were, and one more wait
  /// follows. Throws PeerError.
  bool Advance();
  /// A message that is there.
  From Read(int sender) const;
  bool is_any_poisoned() const { return is_any_poisoned_; }

  bool poisoned = false;  ///< set before Start: flags what this rank sends

 private:
  using Memory = std::unique_ptr<std::byte[]>;
  struct Letter {
    const MessagePlan* plan = nullptr;
    std::vector<int> peers;
    Memory memory;
    uint64_t bytes = 0;  ///< length of the message; what arrives in the round of lengths where it varies
    uint32_t rates = 0;
    std::span<std::byte> message() const { return {memory.get(), bytes}; }
  };

  Memory TakeBuffer(size_t bytes);
  void GiveBack(Letter& letter);
  Frame FrameOf(uint32_t sender, const Letter& letter) const;
  void StartLengths();
  /// Where messages are to come in whose lengths are (not) fixed beforehand.
  std::vector<Incoming> Rooms(bool variable);

  ExchangeCore<T>& core_;
  ExchangeStats& stats_;
  const Round round_;
  const uint32_t bucket_;
  const uint16_t flags_;
  const uint64_t id_, lengths_id_;
  std::vector<Letter> out_;
  std::map<int, Letter> in_;  // by sender; this rank's own has no memory here
  bool has_lengths_ = false, under_way_ = false, is_any_poisoned_ = false;
};

}  // namespace gradwire
