// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "driver/workers.h"

namespace gradwire {

/// The `local:` section: workers that step by themselves and agree on the model now and then.
struct LocalConfig {
  int64_t sync_every = 8;       ///< local steps from agreement to agreement, where `random` is 0
  double random = 0;            ///< p: an agreement after each step with this probability, one coin for all workers
  int64_t start_iter = 0;       ///< steps before this one are synchronous gradient rounds (post-local SGD)
  double outer_lr = 1;          ///< share of the mean difference that the agreed model takes
  double outer_momentum = 0;    ///< momentum of the agreed model (DiLoCo: 0.9)
  bool outer_nesterov = false;  ///< Nesterov's form of it
  /// What a worker subtracts from its gradient, so that the workers do not drift apart. none; skip: ProxSkip's h_i,
  /// which an agreement moves (with gradient_p GradSkip); learn: the gradient at the agreed model less its mean
  /// (SCAFFOLD); anchor: the gradient at an anchor less its mean, where the objective's gradients have an anchor
  std::string shift = "none";
  double anchor_p = 0;  ///< probability that the anchor moves to the workers' mean after a step, by one coin
  /// q_i of the workers, repeated where they are more: probability that a worker goes on computing after a step. One
  /// that does not rests until the next agreement (shift: skip).
  std::vector<double> gradient_p = {1};

  /// The probability that an agreement follows a step.
  double probability() const { return random > 0 ? random : 1.0 / static_cast<double>(sync_every); }

  /// Whether every step is an agreement on the plain mean: then a model round is a gradient round.
  bool is_synchronous() const {
    return shift == "none" && (random == 1 || (random == 0 && sync_every == 1)) && outer_lr == 1 && outer_momentum == 0;
  }
};

/// The channels of an exchange, beside 0, that the model rounds of this configuration need open: shifts, and what moves
/// an anchor, are exchanged beside the models.
std::vector<uint32_t> ChannelsOf(const LocalConfig& config);

/// Driver T2, the model round, of those workers that this process drives. Each worker steps from the model agreed last,
/// y, along its own gradients. At an agreement the differences y - x_i go through the exchange, with its links,
/// operators and topology, and
///     m <- mu m + mean(y - x_i);   y <- y - eta (m, or with Nesterov mean + mu m);   x_i <- y.
/// Local SGD is eta = 1, mu = 0 (Gorbunov, Hanzely, Richtarik, AISTATS 2021, arXiv 2011.02828, algorithms 27-31);
/// post-local SGD begins later (Lin et al., ICLR 2020, arXiv 1808.07217); DiLoCo has mu = 0.9, Nesterov (Douillard et
/// al. 2023, arXiv 2311.08105).
///
/// Shifts: with `skip`, a step is x_i - lr (g_i - h_i), what is agreed on is the mean of x_i - (lr/p) h_i, and then
/// h_i += (p/lr) (y - x_i): ProxSkip (Mishchenko et al., ICML 2022, arXiv 2202.09357), and with gradient_p GradSkip
/// (Maranjyan, Safaryan, Richtarik, arXiv 2210.16402). With `learn`, a step is x_i - lr (g_i - h_i + mean h), where h_i
/// is the worker's gradient, of a fresh sample, at the model agreed last: SS-Local-SGD (arXiv 2011.02828, algorithm
/// 30); an agreement is then two exchanges. With `anchor` the estimates have their noise taken off at an anchor, which
/// moves by a coin, after the step, to the mean that the x_i had before it, and h_i is the gradient there: S-Local-SVRG
/// (algorithm 32). With is_synchronous() it is the gradient round, bit for bit. T is float or double.
///
/// The links' memory is of gradients before start_iter, and of differences from then on, when it starts anew: `restart`
/// is called between the two. Not thread-safe.
template <typename T>
class ModelRounds {
 public:
  /// `seed`: of the coin, the same on all ranks. `first`: the rank of the first worker, behind which the others' are,
  /// for the coins that are its own. `workers` outlive this.
  ModelRounds(Workers<T>& workers, const LocalConfig& config, uint64_t seed, uint32_t first,
              std::function<void()> restart = {});
  /// One worker; see OneWorker.
  ModelRounds(Objective<T>& objective, BucketSink<T>& sink, const LocalConfig& config, uint64_t seed, uint32_t worker,
              size_t bucket_bytes = size_t{25} << 20, std::function<void()> restart = {});

  /// One step, of all ranks alike; whether the workers hold the same model after it.
  bool Step(const Round& round);

  /// An agreement out of turn: at the end of a run.
  void Agree(const Round& round);

  /// The model agreed last, by parameter: what to evaluate. Empty as long as the workers' points are the same anyway.
  std::vector<std::span<const T>> agreed() const;

  /// The rounds' own memory after a step, for a checkpoint: the agreed model and its momentum, all parameters one
  /// behind another. Both empty as long as the workers have never parted.
  struct Memory {
    std::vector<T> agreed, momentum;
    std::vector<T> shift = {};  ///< empty: begins at zero, as in another world, where shifts must again add up to zero
    bool rests = false;

    template <typename Archive>
    void serialize(Archive& archive) {
      archive(agreed, momentum, shift, rests);
    }
  };
  Memory Save(size_t worker = 0) const;
  /// Goes on as the rounds that Save was called on would have, once for each worker. Throws Error where the memory is
  /// of another model, or was saved with another kind of outer optimizer.
  void Load(Memory memory, size_t worker = 0);

 private:
  bool IsDue(uint64_t step) const;
  bool Begin();
  using Vectors = std::vector<std::vector<T>>;  // by worker

  /// What one worker has for itself.
  struct Worker {
    std::vector<T> shift;  // what is subtracted from gradients; empty without one
    bool rests = false;    // no more gradients until the next agreement
  };

  ModelRounds(std::unique_ptr<Workers<T>> own, Workers<T>* workers, const LocalConfig& config, uint64_t seed,
              uint32_t first, std::function<void()> restart);
  void LocalStep(const Round& round, size_t worker);
  void Learn(const Round& round);
  void MoveAnchor(const Round& round, const Vectors& points);
  std::vector<T> PointOf(size_t worker) const;
  Vectors Points() const;
  void TakeShift(const Round& round);
  void Exchange(const Round& round);
  void MoveAgreed();

  const std::unique_ptr<Workers<T>> own_;  // those that were made here
  Workers<T>& workers_;
  const LocalConfig config_;
  const uint64_t seed_;
  const uint32_t first_;
  const std::function<void()> restart_;
  bool has_begun_ = false;
  std::vector<size_t> offsets_;       // where each parameter begins in the vectors below; the end
  std::vector<T> agreed_, momentum_;  // momentum_ is empty without one
  Vectors deltas_;                    // what workers send, and after an exchange the mean
  std::vector<Worker> states_;        // by worker
};

}  // namespace gradwire
