// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "message/bucket_plan.h"

namespace gradwire {

template <typename T>
struct BucketJob;
template <typename T>
class BucketExchange;
template <typename T>
using BucketExchangePtr = std::shared_ptr<BucketExchange<T>>;
template <typename T>
struct JointJob;

/// How the messages of a bucket travel, and what of it the rest of the house must know. A topology is a row of the list
/// below and a BucketExchange.
struct Topology {
  std::string_view name;     ///< in settings and saves
  std::string_view summary;  ///< for people, with the bytes that a rank sends: c up, c' back, d floats
  /// Every rank is the server of some pieces (OwnerOf), and what it makes of them comes back through the down link:
  /// memory of receivers, and of the way back, lies with the owners.
  bool has_owners = false;
  bool sums = false;  ///< messages are added on the way: of linear operators without memory, or of links that iterate
  bool iterates = false;  ///< for links that iterate (Link::iterates), and those alone
  bool one_mean = true;   ///< every rank gets the same vector
  /// Bytes that `rank` of `ranks` sends for a bucket, frames included, in a step that is not dense.
  uint64_t (*sent_bytes)(const BucketPlan& plan, const Participation& participation, int ranks, int rank);
  BucketExchangePtr<float> (*make_f32)(const BucketJob<float>&);
  BucketExchangePtr<double> (*make_f64)(const BucketJob<double>&);
  /// The same for all ranks at once, where they are in one process.
  void (*here_f32)(const JointJob<float>&);
  void (*here_f64)(const JointJob<double>&);
};

const std::vector<Topology>& Topologies();
/// Throws ConfigError for an unknown name.
const Topology& FindTopology(std::string_view name);
/// "allgather, sharded or allreduce".
std::string TopologyNames();

/// PlanNeeds::owners for an exchange over this topology.
inline int OwnersIn(const Topology& topology, int ranks) { return topology.has_owners ? ranks : 0; }

}  // namespace gradwire
