// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradwire {

class Philox;

/// Who takes part in a round: a draw that all ranks make alike. Immutable.
struct Participation {
  enum class Kind {
    kAll,          ///< everyone
    kIid,          ///< r draws with replacement (PP-MARINA: Gorbunov et al. 2021, arXiv 2102.07845, algorithm 4)
    kNice,         ///< r different ones, every set of r alike (Gower et al. 2019, arXiv 1901.09401)
    kIndependent,  ///< each by itself with a probability of its own; now and then nobody
    kSets          ///< one of some sets: any law
  } kind = Kind::kAll;
  double share = 1;  ///< kIid, kNice: of the workers: r = max(1, round(share n))
  /// kIndependent: of the workers, repeated where they are more.
  std::vector<double> probabilities = {};
  struct Set {
    std::vector<uint32_t> workers;
    double weight = 0;  ///< its probability is its share of the sum
  };
  std::vector<Set> sets = {};  ///< kSets

  bool is_all() const { return kind == Kind::kAll; }
  /// r of n workers.
  size_t CountOf(size_t workers) const;
  /// How many send in a round, on average.
  double MeanCount(size_t workers) const;
  /// How often a worker was drawn whose weight in a round is this.
  double TimesDrawn(double weight, size_t workers) const;
  /// Throws ConfigError ("comm.participation: ...") where it cannot be of so many workers: one that never takes part
  /// has no place in an unbiased mean.
  void Check(size_t workers) const;
  /// The weight of each worker's message in the mean, whose expectation is 1, so that the mean stays unbiased, however
  /// one worker's part depends on another's: n/r times how often it was drawn (kIid, kNice), or 1/p_i with the
  /// probability p_i that it takes part. 0: it sends nothing.
  std::vector<double> Weights(uint64_t seed, uint64_t step, size_t workers) const;
  /// The same into `weights`, a number for each worker, with as much room in `order`.
  void Draw(uint64_t seed, uint64_t step, std::span<double> weights, std::span<size_t> order) const;
  /// "all", "iid:40%", "independent:40%,100%", "sets:0+1=1,2=3".
  std::string text() const;

 private:
  double Probability(size_t worker) const;
  void DrawCounted(Philox& random, std::span<double> weights, std::span<size_t> order) const;
};

/// The participation of such a text. Throws ConfigError ("found ..., expected ...").
Participation ParseParticipation(std::string_view text);

}  // namespace gradwire
