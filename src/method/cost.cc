// SPDX-License-Identifier: Apache-2.0
#include "gradwire/cost.h"

#include <fmt/format.h>

#include "exchange/topologies.h"
#include "message/aggregate_rules.h"

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

uint64_t SentBytes(const ExchangeParts& parts, const std::vector<Parameter>& parameters, int world_size, int rank) {
  const Topology& topology = FindTopology(parts.topology);
  const PlanNeeds needs = {Dtype::kF32, OwnersIn(topology, world_size)};
  const BucketPlan plan = MakePlan(parts, parameters, 0, AllSegments(parameters), needs);
  return topology.sent_bytes(plan, parts.participation, world_size, rank);
}

std::optional<std::string> AggregateNotice(const ExchangeParts& parts, size_t senders) {
  if (parts.aggregate.is_mean()) return std::nullopt;
  return fmt::format("aggregate {}, with up to {} of {} workers wrong, of finite numbers: {}", parts.aggregate.text(),
                     parts.aggregate.Tolerates(senders), senders, TextOf(parts.aggregate.rule->promise));
}

std::optional<std::string> FactorNotice(const ExchangeParts& parts, const std::vector<Parameter>& parameters) {
  if (!parts.link.iterates) return std::nullopt;
  constexpr size_t kMostNamed = 8;
  size_t with_factors = 0;
  std::vector<std::string> dense;
  for (const Parameter& parameter : parameters)
    if (!TravelsDense(parts, parameter))
      ++with_factors;
    else if (parameter.shape.size() > 1)
      dense.push_back(fmt::format("{} [{}]", parameter.name, fmt::join(parameter.shape, ", ")));
  const size_t more = dense.size() > kMostNamed ? dense.size() - kMostNamed : 0;
  dense.resize(dense.size() - more);
  return fmt::format("{}: {} factors of {} matrices; without gain, and dense: {}{}", parts.method,
                     parts.compressor->spec(), with_factors,
                     dense.empty() ? "no matrix" : fmt::format("{}", fmt::join(dense, ", ")),
                     more > 0 ? fmt::format(" and {} more", more) : "");
}

std::optional<std::string> CostWarning(const ExchangeParts& parts, const std::vector<Parameter>& parameters,
                                       int world_size) {
  const uint64_t sent = SentBytes(parts, parameters, world_size), dense = DenseRingBytes(parameters, world_size);
  if (parts.compressor->is_identity() || world_size == 1 || sent < dense) return std::nullopt;
  return fmt::format(
      "{} on {} ranks sends {} bytes a step, a dense ring {}: nothing is gained. Take a compressor that "
      "keeps less, or method none",
      parts.compressor->spec(), world_size, sent, dense);
}

}  // namespace gradwire
