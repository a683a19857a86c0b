// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradwire {

/// Who takes part in a round: a draw that all ranks make alike. Immutable.
struct Participation {
  enum class Kind {
    kAll,   ///< everyone
    kIid,   ///< r draws with replacement (PP-MARINA: Gorbunov et al. 2021, arXiv 2102.07845, algorithm 4)
    kNice,  ///< r different ones, every set of r alike (Gower et al. 2019, arXiv 1901.09401)
  } kind = Kind::kAll;
  double share = 1;  ///< of the workers: r = max(1, round(share n))

  bool is_all() const { return kind == Kind::kAll; }
  /// r of n workers.
  size_t CountOf(size_t workers) const;
  /// The weight of each worker's message in the mean: n/r times how often it was drawn, whose expectation is 1, so that
  /// the mean stays unbiased. 0: it sends nothing.
  std::vector<double> Weights(uint64_t seed, uint64_t step, size_t workers) const;
  /// The same into `weights`, a number for each worker, with as much room in `order`.
  void Draw(uint64_t seed, uint64_t step, std::span<double> weights, std::span<size_t> order) const;
  /// "all", "iid:40%".
  std::string text() const;
};

/// The participation of such a text. Throws ConfigError ("found ..., expected ...").
Participation ParseParticipation(std::string_view text);

}  // namespace gradwire
