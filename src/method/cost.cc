// SPDX-License-Identifier: Apache-2.0
#include "gradwire/cost.h"

#include <fmt/format.h>

#include "exchange/bucket_plan.h"

namespace gradwire {

uint64_t DenseRingBytes(const std::vector<Parameter>& parameters, int world_size) {
  uint64_t numel = 0;
  for (const Parameter& parameter : parameters) numel += parameter.numel();
  const auto n = static_cast<uint64_t>(world_size);
  return 2 * (n - 1) * sizeof(float) * numel / n;
}

uint64_t SentBytes(const ExchangeParts& parts, const std::vector<Parameter>& parameters, int world_size) {
  if (parts.topology == Topology::kAllReduce) return DenseRingBytes(parameters, world_size);
  std::vector<Segment> segments;
  size_t offset = 0;
  for (uint32_t i = 0; i < parameters.size(); offset += parameters[i++].numel())
    segments.push_back({i, offset, parameters[i].numel()});
  // The plan reads the bucket's shape only; no gradient is touched.
  const std::vector<float> values(offset);
  const Bucket<float> bucket{0, segments, {const_cast<float*>(values.data()), values.size()}};
  return static_cast<uint64_t>(world_size - 1) * MakePlan(parts, parameters, bucket).message_bytes;
}

std::optional<std::string> CostWarning(const ExchangeParts& parts, const std::vector<Parameter>& parameters, int world_size) {
  const uint64_t sent = SentBytes(parts, parameters, world_size), dense = DenseRingBytes(parameters, world_size);
  if (parts.topology == Topology::kAllReduce || world_size == 1 || sent < dense) return std::nullopt;
  return fmt::format("{} on {} ranks sends {} bytes a step, a dense ring {}: nothing is gained. Take a compressor that "
                     "keeps less, or method none", parts.compressor->spec(), world_size, sent, dense);
}

}  // namespace gradwire
