// SPDX-License-Identifier: Apache-2.0
#include "exchange/topologies.h"

#include <fmt/format.h>

#include "exchange/core.h"
#include "exchange/joint_job.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

/// On average: who is not drawn sends no compressed pieces.
uint64_t MeanBytes(const MessagePlan& message, const Participation& participation, int ranks) {
  uint64_t compressed = 0;
  for (const PlannedPiece& planned : message.pieces)
    if (!planned.dense) compressed += planned.bytes;
  const auto n = static_cast<size_t>(ranks);
  const double sent = static_cast<double>(compressed) * participation.MeanCount(n) / static_cast<double>(n);
  return message.bytes - compressed + static_cast<uint64_t>(sent);
}

uint64_t AllGatherBytes(const BucketPlan& plan, const Participation& participation, int ranks, int) {
  return static_cast<uint64_t>(ranks - 1) * MeanBytes(plan.up[0], participation, ranks);
}

uint64_t ShardedBytes(const BucketPlan& plan, const Participation& participation, int ranks, int rank) {
  const auto own = static_cast<size_t>(rank);
  uint64_t bytes = static_cast<uint64_t>(ranks - 1) * plan.down[own].bytes;
  for (size_t owner = 0; owner < plan.up.size(); ++owner)
    if (owner != own) bytes += MeanBytes(plan.up[owner], participation, ranks);
  return bytes;
}

/// A ring all-reduce of what linear operators send, without frames.
uint64_t RingBytes(const BucketPlan& plan, const Participation&, int ranks, int) {
  uint64_t bytes = 0;
  for (const PlannedPiece& planned : plan.up[0].pieces) bytes += planned.bytes;
  const auto n = static_cast<uint64_t>(ranks);
  return 2 * (n - 1) * bytes / n;
}

}  // namespace

const std::vector<Topology>& Topologies() {
  static const std::vector<Topology> topologies = {
      {.name = "allgather",
       .summary = "every rank sends its message to every other one and averages all: (n-1) c",
       .sent_bytes = AllGatherBytes,
       .make_f32 = MakeAllGather<float>,
       .make_f64 = MakeAllGather<double>,
       .here_f32 = AllGatherHere<float>,
       .here_f64 = AllGatherHere<double>},
      {.name = "sharded",
       .summary = "every rank is the server of the pieces it owns: (n-1)/n (c + c')",
       .has_owners = true,
       .sent_bytes = ShardedBytes,
       .make_f32 = MakeSharded<float>,
       .make_f64 = MakeSharded<double>,
       .here_f32 = ShardedHere<float>,
       .here_f64 = ShardedHere<double>},
      {.name = "allreduce",
       .summary = "dense or linear messages, summed on the way: 2(n-1)/n x 4d for dense ones",
       .sums = true,
       .sent_bytes = RingBytes,
       .make_f32 = MakeAllReduce<float>,
       .make_f64 = MakeAllReduce<double>,
       .here_f32 = AllReduceHere<float>,
       .here_f64 = AllReduceHere<double>},
      {.name = "factors",
       .summary = "factors of matrices, summed on the way in two sums a bucket (powersgd): 2(n-1)/n x 4 (p + q)",
       .sums = true,
       .iterates = true,
       .sent_bytes = RingBytes,
       .make_f32 = MakeFactorSums<float>,
       .make_f64 = MakeFactorSums<double>,
       .here_f32 = FactorSumsHere<float>,
       .here_f64 = FactorSumsHere<double>},
  };
  return topologies;
}

std::string TopologyNames() {
  std::string text;
  for (const Topology& topology : Topologies()) {
    const bool is_first = text.empty(), is_last = &topology == &Topologies().back();
    text += fmt::format("{}{}", is_first ? "" : is_last ? " or " : ", ", topology.name);
  }
  return text;
}

const Topology& FindTopology(std::string_view name) {
  for (const Topology& topology : Topologies())
    if (topology.name == name) return topology;
  throw ConfigError("comm.topology", fmt::format("'{}' is unknown; expected auto, {}", name, TopologyNames()));
}

}  // namespace gradwire
