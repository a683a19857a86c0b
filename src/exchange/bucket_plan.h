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
  bool dense;      ///< travels as identity without memory
  size_t values;   ///< first element within the bucket
  size_t payload;  ///< first byte within the message
  size_t bytes;    ///< size of the payload
};

/// How a bucket becomes a message: worked out once a layout, the same on every rank.
struct BucketPlan {
  uint32_t bucket = 0;  ///< index, for messages to people
  std::vector<Segment> segments;
  std::vector<PlannedPiece> pieces;
  size_t message_bytes = 0;  ///< frame and payloads with their padding
  uint64_t layout = 0;       ///< hash of the pieces' places and sizes

  size_t payload_bytes() const;
};

/// Cuts a bucket into pieces. Throws Error where the segments are not whole parameters without gaps.
template <typename T>
BucketPlan MakePlan(const ExchangeParts& parts, const std::vector<Parameter>& parameters, const Bucket<T>& bucket);

}  // namespace gradwire
