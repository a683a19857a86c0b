// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "base/philox.h"
#include "estimate/estimator.h"

namespace gradwire {

/// Draws weighted samples such that E sum_k weight_k [sample_k = l] = 1/m for every sample l: any unbiased weighting of
/// the sum ("arbitrary sampling", Gower et al. 2019, arXiv 1901.09401); reshuffling is that over an epoch alone. One
/// thread at a time.
class Sampling {
 public:
  virtual ~Sampling() = default;
  /// The draws of a step, by the bits of that step.
  virtual std::vector<Draw> Next(Philox& random, uint64_t step) const = 0;
};

/// Throws ConfigError that begins with the key.
std::unique_ptr<Sampling> MakeSampling(const EstimatorConfig& config, const FiniteSum& f, uint64_t seed,
                                       uint64_t worker);

}  // namespace gradwire
