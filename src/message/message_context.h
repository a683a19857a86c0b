// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gradwire/exchange_parts.h"
#include "gradwire/round.h"

namespace gradwire {

/// What a message is made of and read with, in one direction, on this rank. It knows which rank that is and of how
/// many; how bytes get from one to another is none of its concern. All of it outlives the context.
template <typename T>
struct MessageContext {
  uint32_t rank;   ///< of this one, as a sender
  uint32_t ranks;  ///< that the coins and draws of a round are for
  const std::vector<Parameter>& parameters;
  uint64_t seed;       ///< of the operators' random bits
  Lane& lane;          ///< of the caller's thread
  size_t threads = 1;  ///< that pieces are shared over: the result is the same for any number

  const Link& link;
  const Compressor& compressor;
  const Link* shift_link = nullptr;              ///< null: no shift is learned beside the link
  const Compressor* shift_compressor = nullptr;  ///< of that
  Purpose purpose;                               ///< of the operators' random bits
  const LinkHandles<T>& memory;
  bool dense = false;                            ///< a dense round
  const Participation* participation = nullptr;  ///< who sends; null: all do
  std::span<const double> shares = {};           ///< what it gives in this round, where that is known; else drawn
  const Aggregate* aggregate = nullptr;          ///< ExchangeParts::aggregate; null: the mean
  bool votes = false;                            ///< ExchangeParts::votes
  bool may_be_silent = false;                    ///< ExchangeParts::may_be_silent
  bool silent = false;                           ///< this rank sends nothing of this bucket
  bool zeros_keep_memory = false;                ///< ExchangeParts::zeros_keep_memory
  const BitRule* count_as = nullptr;             ///< ExchangeParts::count_as

  /// How much each rank's message counts in a round (Participation::Weights), in the lane's scratch; empty: all alike.
  std::span<const double> SharesOf(const Round& round) const {
    if (participation == nullptr || !shares.empty()) return shares;
    const std::span<double> drawn = lane.scratch.template Take<double>(ranks);
    participation->Draw(seed, round.draw(), drawn, lane.scratch.template Take<size_t>(ranks));
    return drawn;
  }

  Site SiteOf(const Round& round, uint32_t parameter, const Piece& piece) const {
    return {seed, purpose, rank, round.draw(), parameter, piece};
  }
};

/// The operator of pieces that travel as they are.
const Compressor& Identity();

}  // namespace gradwire
