// SPDX-License-Identifier: Apache-2.0
#include "message/bucket_plan.h"

#include <algorithm>

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
    if (p.shift_bytes > 0)
      words.insert(words.end(), {p.parameter, p.piece.index, p.values, p.shift_payload, p.shift_bytes});
  }
  return XXH3_64bits(words.data(), words.size() * sizeof(uint64_t));
}

/// One message's pieces, as they are appended.
class MessagePlanner {
 public:
  /// What compressed pieces go through.
  MessagePlanner(std::shared_ptr<const Compressor> compressor, std::shared_ptr<const Compressor> shift_compressor,
                 Dtype dtype, bool gated, bool has_factors)
      : compressor_(std::move(compressor)),
        shift_compressor_(std::move(shift_compressor)),
        dtype_(dtype),
        has_factors_(has_factors) {
    plan_.bytes = sizeof(Frame);
    plan_.variable =
        !has_factors_ && (gated || compressor_->variable() || (shift_compressor_ && shift_compressor_->variable()));
  }

  void Append(uint32_t parameter, const Piece& piece, bool dense, size_t values) {
    static const std::shared_ptr<const Compressor> identity = ParseCompressor("identity");
    PlannedPiece planned{parameter, piece, dense, values, plan_.bytes, 0, 0, 0};
    planned.bytes = has_factors_ && !dense ? FactorNumel(compressor_->low_rank(), piece) * SizeOf(dtype_)
                                           : (dense ? *identity : *compressor_).Bytes(piece, dtype_);
    plan_.bytes += AlignPayload(planned.bytes);
    if (shift_compressor_ && !dense) {
      planned.shift_payload = plan_.bytes;
      planned.shift_bytes = shift_compressor_->Bytes(piece, dtype_);
      plan_.bytes += AlignPayload(planned.shift_bytes);
    }
    plan_.pieces.push_back(planned);
  }

  /// Where sizes vary, their table stands in front of the payloads.
  MessagePlan Done() {
    if (plan_.variable) {
      const size_t table = AlignPayload(plan_.payloads() * sizeof(uint32_t));
      for (PlannedPiece& p : plan_.pieces) p.payload += table, p.shift_payload += table;
      plan_.bytes += table;
    }
    plan_.layout = Layout(plan_.pieces);
    return std::move(plan_);
  }

 private:
  std::shared_ptr<const Compressor> compressor_, shift_compressor_;
  Dtype dtype_;
  bool has_factors_;  // in place of payloads, where pieces are compressed
  MessagePlan plan_;
};

std::vector<MessagePlan> Done(std::vector<MessagePlanner>& planners) {
  std::vector<MessagePlan> plans;
  for (MessagePlanner& planner : planners) plans.push_back(planner.Done());
  return plans;
}

}  // namespace

size_t FactorNumel(size_t rank, const Piece& piece) {
  return std::min({rank, piece.rows, piece.cols}) * (piece.rows + piece.cols);
}

bool HasLowRank(size_t rank, const Parameter& parameter) {
  if (parameter.numel() == 0) return false;
  const Piece piece = PieceOf(parameter, PieceRule::kMatrix, 0);
  return !piece.symmetric && piece.rows > 0 && 2 * FactorNumel(rank, piece) < piece.numel;
}

bool TravelsDense(const ExchangeParts& parts, const Parameter& parameter) {
  if (parts.link.iterates && !HasLowRank(parts.compressor->low_rank(), parameter)) return true;
  return parameter.numel() < parts.min_compress_numel || (!parts.compress_1d && parameter.shape.size() <= 1);
}

bool IsOnePiece(const std::vector<Parameter>& parameters, PieceRule rule) {
  return parameters.size() == 1 && PieceCount(parameters[0], rule) == 1;
}

void CheckModelScope(const ExchangeParts& parts, const std::vector<Parameter>& parameters, bool gathers) {
  if (IsOnePiece(parameters, parts.piece)) return;
  gathers = gathers && !parts.learner;
  for (const auto& compressor : {parts.compressor, parts.learner, parts.down_compressor})
    if (compressor && compressor->scope() == Scope::kModel &&
        !(gathers && compressor == parts.compressor && compressor != parts.down_compressor && compressor->ForNorm(1)))
      throw ConfigError(
          "comm.compressor",
          fmt::format(
              "{} acts on the whole gradient at once, and this model has {} parameters; expected a model "
              "of one parameter and one piece (comm.piece: tensor), as the convex problems are, or clip:T:piece",
              compressor->spec(), parameters.size()));
}

void CheckShapes(const ExchangeParts& parts, const std::vector<Parameter>& parameters) {
  const bool has_matrix = std::ranges::any_of(parameters, [&](const Parameter& parameter) {
    return parameter.numel() > 0 && PieceOf(parameter, parts.piece, 0).rows > 0;
  });
  if (has_matrix) return;
  for (const auto& compressor : {parts.compressor, parts.learner, parts.down_compressor})
    if (compressor && compressor->sees_shape())
      throw ConfigError(
          "comm.piece",
          fmt::format("{}: {} acts on matrices, and this shows it none; expected matrix, and a parameter of two "
                      "dimensions or more, or another operator",
                      NameOf(parts.piece), compressor->spec()));
}

uint32_t MessagePlan::payloads() const {
  uint32_t count = 0;
  for (const PlannedPiece& p : pieces) count += p.shift_bytes > 0 ? 2 : 1;
  return count;
}

std::vector<Segment> AllSegments(const std::vector<Parameter>& parameters) {
  std::vector<Segment> segments;
  size_t offset = 0;
  for (uint32_t p = 0; p < parameters.size(); offset += parameters[p++].numel())
    segments.push_back({p, offset, parameters[p].numel()});
  return segments;
}

size_t CheckSegments(const std::vector<Parameter>& parameters, std::span<const Segment> segments) {
  size_t offset = 0;
  for (const Segment& segment : segments) {
    CheckSegment(segment, parameters, offset);
    offset += segment.numel;
  }
  return offset;
}

void CheckSegments(const std::vector<Parameter>& parameters, std::span<const Segment> segments, size_t numel) {
  if (const size_t planned = CheckSegments(parameters, segments); planned != numel)
    throw Error(fmt::format("bucket: {} elements, its segments have {}", numel, planned));
}

BucketPlan MakePlan(const ExchangeParts& parts, const std::vector<Parameter>& parameters, uint32_t bucket,
                    std::span<const Segment> segments, const PlanNeeds& needs) {
  CheckSegments(parameters, segments);
  static const std::shared_ptr<const Compressor> identity = ParseCompressor("identity");
  const auto owners = static_cast<size_t>(needs.owners);
  const bool gated =
      !needs.dense && (parts.link.gate != Gate::kOpen || !parts.participation.is_all() || parts.may_be_silent);
  std::vector<MessagePlanner> up(std::max<size_t>(owners, 1),
                                 {needs.dense ? identity : parts.compressor, needs.dense ? nullptr : parts.learner,
                                  needs.dtype, gated, parts.link.iterates && !needs.dense});
  std::vector<MessagePlanner> down;
  if (owners > 0) down.assign(owners, {parts.down_compressor, nullptr, needs.dtype, false, false});
  for (const Segment& segment : segments) {
    const bool travels_dense = TravelsDense(parts, parameters[segment.parameter]);
    for (size_t i = 0; i < PieceCount(parameters[segment.parameter], parts.piece); ++i) {
      const Piece piece = PieceOf(parameters[segment.parameter], parts.piece, i);
      const uint32_t owner = owners > 0 ? OwnerOf(segment.parameter, piece, needs.owners) : 0;
      up[owner].Append(segment.parameter, piece, travels_dense, segment.offset + piece.begin);
      if (owners > 0) down[owner].Append(segment.parameter, piece, travels_dense, segment.offset + piece.begin);
    }
  }
  return {bucket, {segments.begin(), segments.end()}, Done(up), Done(down)};
}

}  // namespace gradwire
