// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gossip/gossip_worker.h"
#include "gossip/neighbours.h"
#include "gossip/spread.h"

namespace gradwire {

/// The parts of the messages: the operator of `spec`, in a link that fits the method. `opens_dense`: before the first
/// round all tell x^0 and v^0 as they are; else neighbours know zeros. Throws ConfigError ("comm.compressor: ...").
ExchangeParts GossipLinkParts(const GossipMethod& method, const CommConfig& comm, bool opens_dense, uint64_t seed);

/// Rounds of workers that speak to their neighbours: see GossipMethod. All outlive it. Not thread-safe.
template <typename T>
class GossipRounds {
 public:
  /// `workers`: those of this process, as neighbours.own() says.
  GossipRounds(std::vector<GossipWorker<T>*> workers, Neighbours<T>& neighbours, const GossipParts& parts, bool opens);

  /// Before the first round; not where a run goes on from a save.
  void Begin();
  /// Round k steps along the directions that rounds before it made, and looks with the samples of k + 1. Throws
  /// PeerError, and, where others would wait for the message, Error for a vector that is not finite.
  void Step(const Round& round);
  /// A vector was not finite, and nothing was told since.
  bool has_diverged() const { return has_diverged_; }
  /// All ranks call it alike.
  Spread Measure() const;

 private:
  void MoveAndTell(double lr);
  void TellAndMix(double lr);
  void Tell(GossipVector vector);
  std::span<const T> Mixed(GossipVector vector, size_t place);

  const std::vector<GossipWorker<T>*> workers_;
  Neighbours<T>& neighbours_;
  const GossipParts& parts_;
  const bool opens_;
  std::vector<T> mixed_;
  bool has_diverged_ = false;
};

}  // namespace gradwire
