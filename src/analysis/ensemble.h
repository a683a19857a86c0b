// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "analysis/process.h"

namespace gradwire {

/// A number that paths say, and its standard error.
struct Estimate {
  double value = 0, error = 0;
};

/// How paths are drawn and what is kept of them.
struct EnsembleOptions {
  size_t paths = 20000;
  uint64_t seed = 1;
  uint32_t stream = 0;           ///< ensembles of one seed with other streams are independent of each other
  size_t threads = 1;            ///< changes no number
  std::vector<size_t> recorded;  ///< after so many steps each, ascending; 0: the beginning
};

/// What is asked of an ensemble of points x in R^d. Of one coordinate, the mean over j: kMean, E x_j, and kVariance,
/// E (x_j - E x_j)^2. Of the point: kSecond, E||x||^2, and kLoss, E sum_j h_j x_j^2 / 2.
enum class Quantity { kMean, kVariance, kSecond, kLoss };

/// "mean", "variance", "second moment", "loss".
const char* NameOf(Quantity quantity);

/// Sums over many paths of a process, at recorded times. Standard errors are those of kBlocks independent groups of
/// paths, so that they hold for any quantity, and for means over times, whose values depend on each other.
class Ensemble {
 public:
  static constexpr size_t kBlocks = 64;

  /// Runs the paths. `curvature`: h_j of the loss, d numbers. Throws ConfigError for fewer than 2 kBlocks paths.
  Ensemble(const Process& process, std::vector<double> curvature, const EnsembleOptions& options);

  const std::vector<double>& times() const { return times_; }
  Estimate At(size_t time, Quantity quantity) const { return Average(time, time, quantity); }
  /// The mean over the recorded times from `first` to `last`.
  Estimate Average(size_t first, size_t last, Quantity quantity) const;

 private:
  /// Sums of x_j and of x_j^2 at each recorded time: [time][2 d].
  struct Block {
    size_t paths = 0;
    std::vector<double> sums;
  };
  void Run(const Process& process, const EnsembleOptions& options, size_t block, Lane& lane);
  void RunPath(const Process& process, const EnsembleOptions& options, size_t path, Block& block, Lane& lane);
  double Value(const Block& block, size_t time, Quantity quantity) const;

  std::vector<double> curvature_, times_;
  std::vector<Block> blocks_;
  Block all_;
};

}  // namespace gradwire
