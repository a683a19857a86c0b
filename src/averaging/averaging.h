// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "averaging/registry.h"

namespace gradwire {

/// What all peers together have sent. A group of m who answer all-reduces as a butterfly: each sends every other one a
/// chunk of 1/m of its vector, and then the mean of its own chunk; so 2 (m - 1) messages and 2 (m - 1) / m vectors a
/// peer, for vectors of m elements or more.
struct AveragingCost {
  uint64_t messages = 0;
  double vectors = 0;  ///< times b d bits, b of an element, d elements
};

/// Rounds that move n peers' vectors towards their mean. A peer that does not answer in a round takes no part in it: it
/// keeps its vector, and the others go on without it, since they find out before they average. Not thread-safe.
class Averaging {
 public:
  virtual ~Averaging() = default;
  /// `values`: n vectors one behind another, in place; `answers`: of each peer.
  virtual void Round(std::span<double> values, const std::vector<bool>& answers) = 0;
  const AveragingCost& cost() const { return cost_; }

 protected:
  AveragingCost cost_;
};

/// What a method may need. `side`, M: the peers of a group; `dims`, N: the rounds of a full grid.
struct AveragingParts {
  size_t peers = 0;  ///< from 1 to kMostPeers
  size_t side = 32;  ///< from 2
  size_t dims = 2;   ///< from 1
  uint64_t seed = 1;
  Registry* registry = nullptr;  ///< of methods that use one
  double lifetime = 0;           ///< seconds of an announcement there
};

/// A way to average, as a row.
struct AveragingMethod {
  std::string_view name, summary, source;
  /// Throws ConfigError ("peers: ...", "dims: ...").
  std::unique_ptr<Averaging> (*make)(const AveragingParts& parts);
};

const std::vector<AveragingMethod>& AveragingMethods();
/// Throws ConfigError ("methods: ...").
const AveragingMethod& FindAveragingMethod(std::string_view name);

}  // namespace gradwire
