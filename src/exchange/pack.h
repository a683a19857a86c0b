// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/core.h"

namespace gradwire {

/// What a message goes through, in one direction, on this rank.
template <typename T>
struct Channel {
  const Link& link;
  const Compressor& compressor;
  const Compressor* learner;  ///< null: nothing is learned
  const Link* learning;
  Purpose purpose;  ///< of the operators' random bits
  StateStore<T>& state;
  bool dense;  ///< a dense round
  /// Who sends; null: all do.
  const Participation* participation = nullptr;
  bool votes = false;  ///< ExchangeParts::votes
};

template <typename T>
Channel<T> UpChannel(ExchangeCore<T>& core, bool dense) {
  return {core.parts.link,
          *core.parts.compressor,
          core.parts.learner.get(),
          &core.parts.learning,
          Purpose::kCompress,
          core.state,
          dense,
          dense || core.parts.participation.is_all() ? nullptr : &core.parts.participation,
          core.parts.votes};
}
template <typename T>
Channel<T> DownChannel(ExchangeCore<T>& core) {
  return {core.parts.down, *core.parts.down_compressor, nullptr, nullptr, Purpose::kDown, core.down_state, false};
}

struct Packed {
  size_t bytes = 0;       ///< of the message
  bool poisoned = false;  ///< a piece held a non-finite element: it was sent as zeros, and its memory is as it was
  uint32_t rates = 0;     ///< for the frame: RatesOf, or 0 where no piece was sent in units of a step
};

/// Hash of the step sizes that the planned pieces are sent with, as float32, by which ranks notice that theirs differ;
/// never 0, but where the link has none inside.
template <typename T>
uint32_t RatesOf(const Channel<T>& channel, const MessagePlan& plan, const Round& round);

/// The planned pieces of `values`, a bucket, become payloads behind the frame of `message` (plan.bytes), padding
/// zeroed.
template <typename T>
Packed Pack(ExchangeCore<T>& core, const Channel<T>& channel, const MessagePlan& plan, const Round& round,
            std::span<const T> values, std::span<std::byte> message);

/// A received message and who sent it.
struct From {
  std::span<const std::byte> message;
  uint32_t sender;
};

/// What a receiver takes of the mean of these messages, into the planned pieces of `values`; other pieces stay. Throws
/// PeerError naming rank, bucket and parameter.
template <typename T>
void Unpack(ExchangeCore<T>& core, const Channel<T>& channel, const MessagePlan& plan, uint32_t bucket,
            const Round& round, std::span<const From> messages, std::span<T> values);

}  // namespace gradwire
