// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "gradwire/objective.h"

namespace gradwire {

/// The `local:` section: workers that step by themselves and agree on the model now and then.
struct LocalConfig {
  int64_t sync_every = 8;       ///< local steps from agreement to agreement, where `random` is 0
  double random = 0;            ///< p: an agreement after each step with this probability, one coin for all workers
  int64_t start_iter = 0;       ///< steps before this one are synchronous gradient rounds (post-local SGD)
  double outer_lr = 1;          ///< share of the mean difference that the agreed model takes
  double outer_momentum = 0;    ///< momentum of the agreed model (DiLoCo: 0.9)
  bool outer_nesterov = false;  ///< Nesterov's form of it

  /// Whether every step is an agreement on the plain mean: then a model round is a gradient round.
  bool is_synchronous() const {
    return (random == 1 || (random == 0 && sync_every == 1)) && outer_lr == 1 && outer_momentum == 0;
  }
};

/// Driver T2, the model round. Each worker steps from the model agreed last, y, along its own gradients. At an
/// agreement the differences y - x_i go through the exchange, with its links, operators and topology, and
///     m <- mu m + mean(y - x_i);   y <- y - eta (m, or with Nesterov mean + mu m);   x_i <- y.
/// Local SGD is eta = 1, mu = 0 (Gorbunov, Hanzely, Richtarik, AISTATS 2021, arXiv 2011.02828, algorithms 27-31);
/// post-local SGD begins later (Lin et al., ICLR 2020, arXiv 1808.07217); DiLoCo has mu = 0.9, Nesterov (Douillard et
/// al. 2023, arXiv 2311.08105). With is_synchronous() it is the gradient round, bit for bit. T is float or double.
///
/// The links' memory is of gradients before start_iter, and of differences from then on, when it starts anew: `restart`
/// is called between the two. Not thread-safe.
template <typename T>
class ModelRounds {
 public:
  /// `seed`: of the coin, the same on all ranks. Differences go in buckets of about `bucket_bytes`.
  ModelRounds(Objective<T>& objective, BucketSink<T>& sink, const LocalConfig& config, uint64_t seed,
              size_t bucket_bytes = size_t{25} << 20, std::function<void()> restart = {});

  /// One step, of all ranks alike; whether the workers hold the same model after it.
  bool Step(const Round& round);

  /// An agreement out of turn: at the end of a run.
  void Agree(uint64_t step);

  /// The model agreed last, by parameter: what to evaluate. Empty as long as the workers' points are the same anyway.
  std::vector<std::span<const T>> agreed() const;

  /// The rounds' own memory after a step, for a checkpoint: the agreed model and its momentum, all parameters one
  /// behind another. Both empty as long as the workers have never parted.
  struct Memory {
    std::vector<T> agreed, momentum;
  };
  Memory Save() const { return {agreed_, momentum_}; }
  /// Goes on as the rounds that Save was called on would have. Throws Error where the memory is of another model, or
  /// was saved with another kind of outer optimizer.
  void Load(Memory memory);

 private:
  bool IsDue(uint64_t step) const;
  void Begin();
  void Exchange(uint64_t step);
  void MoveAgreed();

  Objective<T>& objective_;
  BucketSink<T>& sink_;
  const LocalConfig config_;
  const uint64_t seed_;
  const size_t bucket_bytes_;
  const std::function<void()> restart_;
  bool has_begun_ = false;
  std::vector<size_t> offsets_;               // of the parameters in the vectors below, and their end
  std::vector<T> agreed_, momentum_, delta_;  // momentum_ is empty without one
};

}  // namespace gradwire
