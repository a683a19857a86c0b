// SPDX-License-Identifier: Apache-2.0
#include "gossip/gossip_method.h"

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire {

const std::vector<GossipMethod>& GossipMethods() {
  static const std::vector<GossipMethod> methods = {
      {.name = "dgd",
       .compresses = false,
       .summary = "decentralised gradient descent: average with the neighbours and step; stays beside the solution",
       .source = "Nedic & Ozdaglar 2009"},
      {.name = "gradient_tracking",
       .tracks = true,
       .compresses = false,
       .summary = "steps along an estimate of the mean gradient that follows all workers'",
       .source = "Nedic, Olshevsky & Shi 2017, arXiv 1607.03218"},
      {.name = "push_sum",
       .compresses = false,
       .mixes_sent = true,
       .pushes = true,
       .summary =
           "stochastic gradient push: dgd on directed graphs, with a weight of each worker that is averaged, too",
       .source = "Assran et al. 2019, arXiv 1811.10792; Kempe, Dobra & Gehrke 2003"},
      {.name = "ad_psgd",
       .compresses = false,
       .in_pairs = true,
       .summary = "nobody waits: who has finished a gradient averages with one random neighbour, and steps",
       .source = "Lian et al. 2018, arXiv 1710.06952"},
      {.name = "choco",
       .mixes_sent = true,
       .summary = "CHOCO-SGD: compressed differences to what the neighbours know; stays beside the solution",
       .source = "Koloskova, Stich & Jaggi 2019, arXiv 1902.00340"},
      {.name = "beer",
       .tracks = true,
       .summary = "gradient tracking with compressed differences of model and direction",
       .source = "Zhao et al. 2022, arXiv 2201.13320"},
      {.name = "motef",
       .tracks = true,
       .lambda = 0.1,
       .summary = "beer with a momentum, against the noise of small batches",
       .source = "Islamov, Gao & Stich 2025, arXiv 2405.20114"},
      {.name = "motef_vr",
       .tracks = true,
       .lambda = 0.1,
       .two_points = true,
       .summary = "motef whose momentum takes the same samples at two points",
       .source = "Islamov, Gao & Stich 2025, arXiv 2405.20114"},
  };
  return methods;
}

std::vector<std::string_view> GossipMethodNames() {
  std::vector<std::string_view> names;
  for (const GossipMethod& method : GossipMethods()) names.push_back(method.name);
  return names;
}

const GossipMethod& FindGossipMethod(std::string_view name) {
  for (const GossipMethod& method : GossipMethods())
    if (method.name == name) return method;
  throw ConfigError("gossip.method",
                    fmt::format("'{}' is unknown; expected one of {}", name, fmt::join(GossipMethodNames(), ", ")));
}

}  // namespace gradwire
