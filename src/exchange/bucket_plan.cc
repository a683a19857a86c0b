// SPDX-License-Identifier: Apache-2.0
#include "exchange/bucket_plan.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "gradwire/error.h"
#include "gradwire/wire.h"

namespace gradwire {
namespace {

void CheckSegment(const Segment& segment, const std::vector<Parameter>& parameters, size_t expected_offset) {
  if (segment.parameter >= parameters.size())
    throw Error(fmt::format("bucket: parameter {} of {}", segment.parameter, parameters.size()));
  const Parameter& parameter = parameters[segment.parameter];
  if (segment.numel != parameter.numel() || segment.offset != expected_offset)
    throw Error(fmt::format("bucket: parameter {} has {} elements at offset {}, expected all {} at offset {}",
                            parameter.name, segment.numel, segment.offset, parameter.numel(), expected_offset));
}

bool TravelsDense(const ExchangeParts& parts, const Parameter& parameter) {
  return parameter.numel() < parts.min_compress_numel || (!parts.compress_1d && parameter.shape.size() <= 1);
}

uint64_t Layout(const std::vector<PlannedPiece>& pieces) {
  std::vector<uint64_t> words;
  for (const PlannedPiece& p : pieces) words.insert(words.end(), {p.parameter, p.piece.index, p.values, p.payload, p.bytes});
  return XXH3_64bits(words.data(), words.size() * sizeof(uint64_t));
}

}  // namespace

size_t BucketPlan::payload_bytes() const { return message_bytes - sizeof(Frame); }

template <typename T>
BucketPlan MakePlan(const ExchangeParts& parts, const std::vector<Parameter>& parameters, const Bucket<T>& bucket) {
  static const std::shared_ptr<const Compressor> identity = ParseCompressor("identity");
  BucketPlan plan{bucket.index, {bucket.segments.begin(), bucket.segments.end()}, {}, sizeof(Frame), 0};
  size_t offset = 0;
  for (const Segment& segment : bucket.segments) {
    CheckSegment(segment, parameters, offset);
    const bool dense = TravelsDense(parts, parameters[segment.parameter]);
    for (size_t i = 0; i < PieceCount(segment.numel, parts.piece); ++i) {
      const Piece piece = PieceAt(segment.numel, parts.piece, i);
      const size_t bytes = (dense ? *identity : *parts.compressor).Bytes(piece, kDtypeOf<T>);
      plan.pieces.push_back({segment.parameter, piece, dense, offset + piece.begin, plan.message_bytes, bytes});
      plan.message_bytes += AlignPayload(bytes);
    }
    offset += segment.numel;
  }
  if (offset != bucket.values.size())
    throw Error(fmt::format("bucket: {} elements, its segments have {}", bucket.values.size(), offset));
  plan.layout = Layout(plan.pieces);
  return plan;
}

template BucketPlan MakePlan(const ExchangeParts&, const std::vector<Parameter>&, const Bucket<float>&);
template BucketPlan MakePlan(const ExchangeParts&, const std::vector<Parameter>&, const Bucket<double>&);

}  // namespace gradwire
