// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "gradwire/exchange.h"

namespace gradwire {

/// Where one piece lies in its bucket and in the message.
struct PlannedPiece {
  uint32_t parameter;
  Piece piece;
  bool dense;      ///< travels as identity without memory, in every round
  size_t values;   ///< first element within the bucket
  size_t payload;  ///< first byte within the message
  size_t bytes;    ///< size of the payload, at most where the operator is variable
  size_t lesson;   ///< the same for the payload that teaches the shift; 0 bytes where nothing is learned
  size_t lesson_bytes;
};

/// The pieces of a bucket that one message carries, the same on every rank.
struct MessagePlan {
  std::vector<PlannedPiece> pieces;
  bool variable =
      false;            ///< payloads may be smaller than planned: the message is packed tighter, with a table of sizes
  size_t bytes = 0;     ///< frame and payloads with their padding, at most where variable
  uint64_t layout = 0;  ///< hash of the pieces' places and sizes

  /// Payloads in the message: a piece has one, and one more that teaches.
  uint32_t payloads() const;
};

/// How a bucket becomes messages: worked out once a layout.
struct BucketPlan {
  uint32_t bucket = 0;  ///< index, for messages to people
  std::vector<Segment> segments;
  std::vector<MessagePlan> up;    ///< by owner of the pieces; a single one where all ranks take all pieces
  std::vector<MessagePlan> down;  ///< by owner; empty where nothing comes back
};

/// The rank that serves a piece: every rank is the server of some.
inline uint32_t OwnerOf(uint32_t parameter, const Piece& piece, int ranks) {
  return (parameter + piece.index) % static_cast<uint32_t>(ranks);
}

/// Whether a parameter is never compressed: it travels as identity, without memory, in the same message.
bool TravelsDense(const ExchangeParts& parts, const Parameter& parameter);

/// Cuts a bucket into pieces. `dense`: for a round in which all of them travel as identity. Throws Error where the
/// segments are not whole parameters without gaps.
template <typename T>
BucketPlan MakePlan(const ExchangeParts& parts, const std::vector<Parameter>& parameters, const Bucket<T>& bucket,
                    int ranks, bool dense);

/// Throws Error where the bucket's segments are not whole parameters of the list without gaps.
template <typename T>
void CheckSegments(const std::vector<Parameter>& parameters, const Bucket<T>& bucket);

}  // namespace gradwire
