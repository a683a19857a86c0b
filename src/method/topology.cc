// SPDX-License-Identifier: Apache-2.0
#include "method/choices.h"

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire {

Topology TopologyOf(const CommConfig& config, const ExchangeParts& parts) {
  const bool summable = parts.compressor->linear() && parts.link.noise == 0 && parts.participation.is_all() &&
                        !parts.link.remembers() && !parts.link.shifts();
  const bool sharded = parts.down_compressor != nullptr;
  if (config.topology == "auto")
    return sharded ? Topology::kSharded : summable ? Topology::kAllReduce : Topology::kAllGather;
  if (config.topology == "sharded") return Topology::kSharded;
  if (config.topology != "allgather" && config.topology != "allreduce")
    throw ConfigError("comm.topology",
                      fmt::format("'{}' is unknown; expected auto, allgather, sharded or allreduce", config.topology));
  if (sharded)
    throw ConfigError("comm.topology", fmt::format("{} has no way back, and comm.down is {}; expected sharded or auto",
                                                   config.topology, parts.down.name));
  if (config.topology == "allgather") return Topology::kAllGather;
  if (!parts.participation.is_all())
    throw ConfigError("comm.topology", fmt::format("allreduce sums all ranks' messages, and comm.participation is {}; "
                                                   "expected allgather or auto",
                                                   parts.participation.text()));
  if (!summable)
    throw ConfigError("comm.topology", fmt::format("allreduce sums messages on the way, which {} with link {} does not "
                                                   "allow; expected allgather or auto",
                                                   parts.compressor->spec(), parts.link.name));
  return Topology::kAllReduce;
}

void CheckSharded(const ExchangeParts& parts) {
  if (parts.topology != Topology::kSharded) return;
  if (parts.learner)
    throw ConfigError("comm.topology", "sharded: a learned shift must be known to all ranks; expected allgather");
}

}  // namespace gradwire
