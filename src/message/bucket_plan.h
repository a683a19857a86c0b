// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "gradwire/exchange_parts.h"

namespace gradwire {

/// Where one piece lies in its bucket and in the message.
struct PlannedPiece {
  uint32_t parameter;
  Piece piece;
  bool dense;            ///< travels as identity without memory, in every round
  size_t values;         ///< first element within the bucket
  size_t payload;        ///< first byte within the message
  size_t bytes;          ///< size of the payload, at most where the operator is variable
  size_t shift_payload;  ///< the same for the payload that moves a learned shift; 0 bytes where none is
  size_t shift_bytes;
};

/// The pieces of a bucket that one message carries, the same on every rank.
struct MessagePlan {
  std::vector<PlannedPiece> pieces;
  bool variable =
      false;            ///< payloads may be smaller than planned: the message is packed tighter, with a table of sizes
  size_t bytes = 0;     ///< frame and payloads with their padding, at most where variable
  uint64_t layout = 0;  ///< hash of the pieces' places and sizes

  /// Payloads in the message: a piece has one, and one more where it moves a learned shift.
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

/// Whether the whole model is a single piece.
bool IsOnePiece(const std::vector<Parameter>& parameters, PieceRule rule);

/// An operator that must see the whole gradient gets it where that is one piece; or on the way up, where it needs no
/// more than the norm and `gathers` says that all buckets of a round can be shown to it first. Throws
/// ConfigError where neither is so.
void CheckModelScope(const ExchangeParts& parts, const std::vector<Parameter>& parameters, bool gathers);

/// Throws ConfigError where an operator of matrices would see none: all would go as it is.
void CheckShapes(const ExchangeParts& parts, const std::vector<Parameter>& parameters);

/// What a bucket's plan depends on beside its segments.
struct PlanNeeds {
  Dtype dtype;
  int owners = 0;  ///< ranks, each of which serves some pieces; 0: all ranks take all pieces, and nothing comes back
  bool dense = false;  ///< a round in which all pieces travel as identity
};

/// Cuts a bucket into pieces. Throws Error where the segments are not whole parameters without gaps.
BucketPlan MakePlan(const ExchangeParts& parts, const std::vector<Parameter>& parameters, uint32_t bucket,
                    std::span<const Segment> segments, const PlanNeeds& needs);

/// All parameters, one behind another.
std::vector<Segment> AllSegments(const std::vector<Parameter>& parameters);

/// The elements of a bucket. Throws Error where its segments are not whole parameters of the list without gaps.
size_t CheckSegments(const std::vector<Parameter>& parameters, std::span<const Segment> segments);
/// The same for a bucket that has so many elements.
void CheckSegments(const std::vector<Parameter>& parameters, std::span<const Segment> segments, size_t numel);

}  // namespace gradwire
