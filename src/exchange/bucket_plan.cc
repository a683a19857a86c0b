// SPDX-License-Identifier: Apache-2.0
#include "exchange/bucket_plan.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "gradwire/error.h"
#include "wire/wire.h"

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

uint64_t Layout(const std::vector<PlannedPiece>& pieces) {
  std::vector<uint64_t> words;
  for (const PlannedPiece& p : pieces) {
    words.insert(words.end(), {p.parameter, p.piece.index, p.values, p.payload, p.bytes});
    if (p.lesson_bytes > 0) words.insert(words.end(), {p.parameter, p.piece.index, p.values, p.lesson, p.lesson_bytes});
  }
  return XXH3_64bits(words.data(), words.size() * sizeof(uint64_t));
}

/// One message's pieces, as they are appended.
class MessagePlanner {
 public:
  /// What compressed pieces go through.
  MessagePlanner(std::shared_ptr<const Compressor> compressor, std::shared_ptr<const Compressor> learner, Dtype dtype,
                 bool gated)
      : compressor_(std::move(compressor)), learner_(std::move(learner)), dtype_(dtype) {
    plan_.bytes = sizeof(Frame);
    plan_.variable = gated || compressor_->variable() || (learner_ && learner_->variable());
  }

  void Append(uint32_t parameter, const Piece& piece, bool dense, size_t values) {
    static const std::shared_ptr<const Compressor> identity = ParseCompressor("identity");
    PlannedPiece planned{parameter, piece, dense, values, plan_.bytes, 0, 0, 0};
    planned.bytes = (dense ? *identity : *compressor_).Bytes(piece, dtype_);
    plan_.bytes += AlignPayload(planned.bytes);
    if (learner_ && !dense) {
      planned.lesson = plan_.bytes;
      planned.lesson_bytes = learner_->Bytes(piece, dtype_);
      plan_.bytes += AlignPayload(planned.lesson_bytes);
    }
    plan_.pieces.push_back(planned);
  }

  /// Where sizes vary, their table stands in front of the payloads.
  MessagePlan Done() {
    if (plan_.variable) {
      const size_t table = AlignPayload(plan_.payloads() * sizeof(uint32_t));
      for (PlannedPiece& p : plan_.pieces) p.payload += table, p.lesson += table;
      plan_.bytes += table;
    }
    plan_.layout = Layout(plan_.pieces);
    return std::move(plan_);
  }

 private:
  std::shared_ptr<const Compressor> compressor_, learner_;
  Dtype dtype_;
  MessagePlan plan_;
};

std::vector<MessagePlan> Done(std::vector<MessagePlanner>& planners) {
  std::vector<MessagePlan> plans;
  for (MessagePlanner& planner : planners) plans.push_back(planner.Done());
  return plans;
}

}  // namespace

bool TravelsDense(const ExchangeParts& parts, const Parameter& parameter) {
  return parameter.numel() < parts.min_compress_numel || (!parts.compress_1d && parameter.shape.size() <= 1);
}

uint32_t MessagePlan::payloads() const {
  uint32_t count = 0;
  for (const PlannedPiece& p : pieces) count += p.lesson_bytes > 0 ? 2 : 1;
  return count;
}

template <typename T>
void CheckSegments(const std::vector<Parameter>& parameters, const Bucket<T>& bucket) {
  size_t offset = 0;
  for (const Segment& segment : bucket.segments) {
    CheckSegment(segment, parameters, offset);
    offset += segment.numel;
  }
  if (offset != bucket.values.size())
    throw Error(fmt::format("bucket: {} elements, its segments have {}", bucket.values.size(), offset));
}

template <typename T>
BucketPlan MakePlan(const ExchangeParts& parts, const std::vector<Parameter>& parameters, const Bucket<T>& bucket,
                    int ranks, bool dense) {
  CheckSegments(parameters, bucket);
  static const std::shared_ptr<const Compressor> identity = ParseCompressor("identity");
  const bool sharded = parts.topology == Topology::kSharded;
  std::vector<MessagePlanner> up(sharded ? static_cast<size_t>(ranks) : 1,
                                 {dense ? identity : parts.compressor, dense ? nullptr : parts.learner, kDtypeOf<T>,
                                  !dense && (parts.link.gate != Gate::kOpen || !parts.participation.is_all())});
  std::vector<MessagePlanner> down;
  if (sharded) down.assign(static_cast<size_t>(ranks), {parts.down_compressor, nullptr, kDtypeOf<T>, false});
  for (const Segment& segment : bucket.segments) {
    const bool travels_dense = TravelsDense(parts, parameters[segment.parameter]);
    for (size_t i = 0; i < PieceCount(segment.numel, parts.piece); ++i) {
      const Piece piece = PieceAt(segment.numel, parts.piece, i);
      const uint32_t owner = sharded ? OwnerOf(segment.parameter, piece, ranks) : 0;
      up[owner].Append(segment.parameter, piece, travels_dense, segment.offset + piece.begin);
      if (sharded) down[owner].Append(segment.parameter, piece, travels_dense, segment.offset + piece.begin);
    }
  }
  return {bucket.index, {bucket.segments.begin(), bucket.segments.end()}, Done(up), Done(down)};
}

#define GRADWIRE_INSTANTIATE(T)                                                                                   \
  template BucketPlan MakePlan(const ExchangeParts&, const std::vector<Parameter>&, const Bucket<T>&, int, bool); \
  template void CheckSegments(const std::vector<Parameter>&, const Bucket<T>&);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
