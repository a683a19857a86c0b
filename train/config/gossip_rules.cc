// SPDX-License-Identifier: Apache-2.0
#include "train/config/gossip_rules.h"

#include <map>

#include <fmt/format.h>

#include "train/config/placed.h"

namespace gradwire::train {

GossipParts GossipPartsOf(const Config& config) {
  return {&FindGossipMethod(config.gossip.method), config.gossip.gamma.value(), config.gossip.lambda.value()};
}

bool OpensDense(const Config& config) {
  return FindGossipMethod(config.gossip.method).Opens(config.gossip.opening == "dense");
}

ExchangeParts GossipLinkOf(const Config& config) {
  return Placed(config, [&] {
    ExchangeParts parts = GossipLinkParts(FindGossipMethod(config.gossip.method), CommOf(config),
                                          config.gossip.opening == "dense", config.run.seed);
    parts.count_as = FindBitRule(config.log.bits_paper);
    return parts;
  });
}

Mixing MixingOf(const Config& config, size_t workers) {
  static const std::map<std::string, WeightRule> rules = {
      {"auto", WeightRule::kAuto}, {"metropolis", WeightRule::kMetropolis}, {"uniform", WeightRule::kUniform}};
  const GossipMethod& method = FindGossipMethod(config.gossip.method);
  const WeightRule rule = method.in_pairs ? WeightRule::kMetropolis : rules.at(config.gossip.weights);
  return Placed(config, [&] { return MakeMixing(config.gossip.graph, rule, workers, config.run.seed, method.asks()); });
}

std::string GossipText(const Config& config, const Mixing& mixing) {
  const GossipParts parts = GossipPartsOf(config);
  return fmt::format("gossip: graph {}: {} {}, spectral gap {:.6g}; {}, gamma {}, lambda {}; evaluated: {}",
                     config.gossip.graph, mixing.edges(), mixing.is_directed ? "messages a round" : "edges", mixing.gap,
                     parts.method->name, parts.gamma, parts.lambda, EvaluatedText(config));
}

std::string AboutRecords(const Config& config) {
  return fmt::format("records are about {}; spread: sqrt(mean_i ||x_i - their average||^2)", EvaluatedText(config));
}

const char* EvaluatedText(const Config& config) {
  return config.gossip.evaluate == "average" ? "the average of all models" : "rank 0's model";
}

}  // namespace gradwire::train
