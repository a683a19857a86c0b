// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "estimate/inner_solver.h"
#include "estimate/noise.h"
#include "gradwire/method.h"
#include "gradwire/round.h"
#include "problem/problem.h"

namespace gradwire {

/// The random choices of a round. First-class, so that the same samples can be evaluated at several points.
struct Handle {
  std::vector<Draw> draws;
  bool refresh = false;  ///< whether an anchor moves to this round's point
  uint64_t step = 0;     ///< names the oracle's noise: Round::draw()
};

/// Estimates grad f_i(x) from some samples of one worker (Gorbunov, Hanzely, Richtarik, "A unified theory of SGD",
/// AISTATS 2020, arXiv 1905.11261). Owns its memory: anchors, tables, averages. Not thread-safe.
class Estimator {
 public:
  virtual ~Estimator() = default;

  /// The choices of a round: a pure function of (seed, worker, step).
  virtual Handle Next(const Round& round) const = 0;
  /// The samples among them; none: the round reads all.
  virtual std::optional<std::vector<Draw>> Samples(const Round& round) const { return Next(round).draws; }
  /// out = the estimate at x, d elements each, not overlapping; updates the memory. Call it once a round, in order.
  virtual void Estimate(std::span<const double> x, const Handle& handle, std::span<double> out) = 0;
  /// Moves the anchor to x and leaves grad f_i(x) in `out`, where the anchor is the driver's to move; else returns
  /// false.
  virtual bool MoveAnchor(std::span<const double>, std::span<double>) { return false; }
  /// Gradients of single samples computed so far; m of them are one pass over the worker's data.
  virtual uint64_t evaluations() const = 0;

  /// What it remembers from round to round, for a checkpoint to read, or to write for one made alike. The pointers are
  /// good as long as it lives.
  struct Memory {
    std::vector<std::vector<double>*> vectors;  ///< of d elements, or m d of a table; empty where it has not begun
    uint64_t* evaluations;
  };
  virtual Memory memory() = 0;
};

/// An estimator as `gradwire list` shows it.
struct EstimatorInfo {
  std::string_view name, summary, source;
  bool draws_samples = true;  ///< by objective.sampling; else it reads all of them in each round
  bool takes_noise = false;   ///< objective.noise means something; it cancels in a sample's difference of two points
};
const std::vector<EstimatorInfo>& Estimators();

/// Throws ConfigError ("objective.estimator: ...").
const EstimatorInfo& FindEstimator(std::string_view name);

/// Which estimator; see configs/README.md for the names' meaning.
struct EstimatorConfig {
  std::string name = "full";               ///< of Estimators()
  std::string sampling = "uniform";        ///< how samples are drawn: see Sampling
  int64_t batch = 1;                       ///< samples drawn a round
  std::vector<double> probabilities = {};  ///< of importance, independent, partition; repeated; empty: their own rule
  int64_t block = 1;                       ///< sega: coordinates of a block
  Noise noise = {};                        ///< of the oracle
  InnerSolver inner = {};                  ///< of the workers' own unknowns, where they have some
  int64_t anchor_period = 0;               ///< svrg: rounds between moves of the anchor; lsvrg: 1/p; 0: m
  std::string coin = "own";                ///< lsvrg: own, or common to all workers
  double refresh = 1;         ///< diff: probability of a full gradient, by the coin of the exchange's dense rounds
  int64_t refresh_batch = 0;  ///< diff: fresh samples in place of the full gradient (online VR-MARINA); 0: all
  bool star_shift = false;    ///< subtracts grad f_i(x*), which all workers' mean does not have
};

/// What a method's workers send unless told otherwise.
EstimatorConfig UsualEstimator(const Method& method);

/// diff and MARINA's link toss one coin. Where the user leaves its probability to the method (`is_auto`) it is the
/// smaller of the link's, zeta / d, and b / (m + b) for batches of b and m samples or the refresh batch (Gorbunov et
/// al. 2021, arXiv 2102.07845, theorem 3.2).
void ShareCoin(const Problem& problem, bool is_auto, EstimatorConfig& config, ExchangeParts& parts);

/// Rounds in which a worker sees its samples once, on average; of all samples a round one.
double RoundsPerPass(const EstimatorConfig& config, const FiniteSum& f);

/// Rounds from anchor to anchor on average: svrg, lsvrg. A coin in common has one probability, though workers' numbers
/// of samples may differ by one.
uint64_t AnchorPeriod(const EstimatorConfig& config, const Problem& problem, size_t worker);

/// The estimator of one worker. Throws ConfigError that begins with the key ("objective.batch: ...") where the problem
/// cannot have it: too few samples, or an unknown x*.
std::unique_ptr<Estimator> MakeEstimator(const EstimatorConfig& config, const std::shared_ptr<const Problem>& problem,
                                         size_t worker, uint64_t seed);

}  // namespace gradwire
