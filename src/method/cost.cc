// SPDX-License-Identifier: Apache-2.0
#include "gradwire/cost.h"

#include <fmt/format.h>

#include "exchange/bucket_plan.h"

namespace gradwire {

uint64_t Numel(const std::vector<Parameter>& parameters) {
  uint64_t numel = 0;
  for (const Parameter& parameter : parameters) numel += parameter.numel();
  return numel;
}

uint64_t DenseRingBytes(const std::vector<Parameter>& parameters, int world_size) {
  const auto n = static_cast<uint64_t>(world_size);
  return 2 * (n - 1) * sizeof(float) * Numel(parameters) / n;
}

namespace {

/// A ring all-reduce of what linear operators send.
uint64_t RingBytes(const ExchangeParts& parts, const std::vector<Parameter>& parameters, const Bucket<float>& bucket,
                   int world_size) {
  const BucketPlan plan = MakePlan(parts, parameters, bucket, world_size, /*dense=*/false);
  uint64_t bytes = 0;
  for (const PlannedPiece& planned : plan.up[0].pieces) bytes += planned.bytes;
  const auto n = static_cast<uint64_t>(world_size);
  return 2 * (n - 1) * bytes / n;
}

}  // namespace

uint64_t SentBytes(const ExchangeParts& parts, const std::vector<Parameter>& parameters, int world_size, int rank) {
  std::vector<Segment> segments;
  size_t offset = 0;
  for (uint32_t i = 0; i < parameters.size(); offset += parameters[i++].numel())
    segments.push_back({i, offset, parameters[i].numel()});
  // The plan reads the bucket's shape only; no gradient is touched.
  const std::vector<float> values(offset);
  const Bucket<float> bucket{0, segments, {const_cast<float*>(values.data()), values.size()}};
  if (parts.topology == Topology::kAllReduce) return RingBytes(parts, parameters, bucket, world_size);
  const BucketPlan plan = MakePlan(parts, parameters, bucket, world_size, /*dense=*/false);
  const auto peers = static_cast<uint64_t>(world_size - 1), n = static_cast<uint64_t>(world_size);
  const auto mean = [&](const MessagePlan& message) {  // who is not drawn sends no compressed pieces
    uint64_t compressed = 0;
    for (const PlannedPiece& planned : message.pieces)
      if (!planned.dense) compressed += planned.bytes;
    return message.bytes - compressed + compressed * parts.participation.CountOf(n) / n;
  };
  if (parts.topology == Topology::kAllGather) return peers * mean(plan.up[0]);
  const auto own = static_cast<size_t>(rank);
  uint64_t bytes = peers * plan.down[own].bytes;
  for (size_t owner = 0; owner < plan.up.size(); ++owner)
    if (owner != own) bytes += mean(plan.up[owner]);
  return bytes;
}

std::optional<std::string> CostWarning(const ExchangeParts& parts, const std::vector<Parameter>& parameters,
                                       int world_size) {
  const uint64_t sent = SentBytes(parts, parameters, world_size), dense = DenseRingBytes(parameters, world_size);
  if (parts.compressor->spec() == "identity" || world_size == 1 || sent < dense) return std::nullopt;
  return fmt::format(
      "{} on {} ranks sends {} bytes a step, a dense ring {}: nothing is gained. Take a compressor that "
      "keeps less, or method none",
      parts.compressor->spec(), world_size, sent, dense);
}

}  // namespace gradwire
