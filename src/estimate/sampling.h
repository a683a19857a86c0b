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
  /// Draws of a round, on average.
  virtual double size() const = 0;
  /// That a round draws the sample.
  virtual double Probability(size_t sample) const = 0;
  /// c_l of E ||sum_k weight_k a_k||^2 <= (1/m) sum_l c_l ||a_l||^2 for any vectors a_l: 1 where all samples are alike.
  /// The expected smoothness of Gower et al. is at most the largest c_l L_l.
  virtual double Spread(size_t sample) const = 0;
};

/// uniform: `batch` draws with replacement; importance: those in proportion to `probabilities`, or to the samples'
/// smoothness; nice: different samples; reshuffle, shuffle_once: all in turn; independent: each sample by itself with
/// its probability, or batch/m; partition: one of the blocks of `batch` samples in turn, in proportion to
/// `probabilities` of blocks, or all alike. Throws ConfigError that begins with the key.
std::unique_ptr<Sampling> MakeSampling(const EstimatorConfig& config, const FiniteSum& f, uint64_t seed,
                                       uint64_t worker);

/// objective.batch, of at most all samples. Throws ConfigError.
size_t BatchWithin(const EstimatorConfig& config, const FiniteSum& f);

/// The probability that one of b draws is a sample that each of them is with probability p.
double OfDraws(double p, size_t b);

}  // namespace gradwire
