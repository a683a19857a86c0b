// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "exchange/topologies.h"
#include "gradwire/error.h"
#include "method/choices.h"

namespace gradwire {
namespace {

/// Whether messages may be added on the way.
bool IsSummable(const ExchangeParts& parts) {
  return parts.compressor->linear() && parts.link.noise == 0 && parts.participation.is_all() &&
         parts.aggregate.is_mean() && parts.link.memory().empty();
}

void CheckSums(const Topology& topology, const ExchangeParts& parts) {
  if (!topology.sums || topology.iterates) return;
  if (!parts.participation.is_all())
    throw ConfigError("comm.topology", fmt::format("{} sums all ranks' messages, and comm.participation is {}; "
                                                   "expected allgather or auto",
                                                   topology.name, parts.participation.text()));
  if (!parts.aggregate.is_mean())
    throw ConfigError("comm.topology", fmt::format("{} sums messages on the way, and comm.aggregate is {}, which needs "
                                                   "each by itself; expected allgather, sharded or auto",
                                                   topology.name, parts.aggregate.text()));
  if (!IsSummable(parts))
    throw ConfigError("comm.topology", fmt::format("{} sums messages on the way, which {} with link {} does not "
                                                   "allow; expected allgather or auto",
                                                   topology.name, parts.compressor->spec(), parts.link.name));
}

/// The topology of a link that iterates is no other's, and it has no other.
void CheckIterates(const Topology& topology, const ExchangeParts& parts) {
  if (topology.iterates == parts.link.iterates) return;
  throw ConfigError("comm.topology",
                    parts.link.iterates
                        ? fmt::format("{}: method {} sums factors of matrices on the way; expected factors or auto",
                                      topology.name, parts.method)
                        : fmt::format("{} sums what method powersgd sends, and comm.method is {}; expected auto",
                                      topology.name, parts.method));
}

}  // namespace

std::string_view TopologyOf(const CommConfig& config, const ExchangeParts& parts) {
  const bool has_way_back = parts.down_compressor != nullptr;
  const bool is_open = config.topology == "auto" && !parts.link.iterates;
  if (is_open) return has_way_back ? "sharded" : IsSummable(parts) ? "allreduce" : "allgather";
  const Topology& topology = FindTopology(config.topology == "auto" ? "factors" : config.topology);
  CheckIterates(topology, parts);
  if (has_way_back && parts.link.iterates)
    throw ConfigError("comm.down", fmt::format("{}: method {} gives all ranks one mean, and nothing comes back; "
                                               "expected auto or none",
                                               parts.down.name, parts.method));
  if (has_way_back && !topology.has_owners)
    throw ConfigError("comm.topology", fmt::format("{} has no way back, and comm.down is {}; expected sharded or auto",
                                                   topology.name, parts.down.name));
  CheckSums(topology, parts);
  return topology.name;
}

void CheckOwners(const ExchangeParts& parts) {
  if (parts.learner && FindTopology(parts.topology).has_owners)
    throw ConfigError("comm.topology", fmt::format("{}: a learned shift must be known to all ranks; expected allgather",
                                                   parts.topology));
}

}  // namespace gradwire
