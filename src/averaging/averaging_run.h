// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "averaging/averaging.h"

namespace gradwire {

/// Peers whose numbers are standard normal at first, averaged until their variance is below `fine`, as Ryabinin et al.
/// 2021 (arXiv 2103.03239, section 4.1) simulate it: in each round each peer fails with probability `failure`,
/// independently of all else, and is there again in the next one.
struct AveragingRun {
  std::string method;
  size_t peers = 512, side = 32, dims = 2;
  double failure = 0;
  size_t restarts = 10, cap = 50;  ///< rounds of a restart at most; one that does not get there counts as `cap`
  double fine = 1e-9, coarse = 1e-4;
  uint64_t seed = 1;
  size_t threads = 1;  ///< of restarts; they change no number
};

/// A mean over restarts and the standard deviation of one.
struct AveragingEstimate {
  double mean = 0, deviation = 0;
};

struct AveragingResult {
  AveragingEstimate fine = {}, coarse = {};  ///< rounds to that variance
  double messages = 0, vectors = 0;          ///< sent by a peer in a round
  double requests = 0, registry_bytes = 0;   ///< of a registry, by a peer in a round
  std::vector<double> variance =
      {};            ///< mean over restarts, at first and after each round; one that has ended keeps its own
  double drift = 0;  ///< largest of |mean at the end - mean at first|
};

/// Throws ConfigError, which names the option, where a run would.
void CheckAveraging(const AveragingRun& run);
/// Throws the same.
AveragingResult RunAveraging(const AveragingRun& run);

/// Mean and mean squared distance from it, of one number a peer.
struct Moments {
  double mean = 0, variance = 0;
};
Moments MomentsOf(std::span<const double> values);

}  // namespace gradwire
