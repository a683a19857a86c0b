// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "driver/async.h"
#include "driver/simulated_clock.h"
#include "estimate/estimator.h"
#include "gossip/mixing.h"
#include "gossip/spread.h"
#include "message/link_end.h"

namespace gradwire {

/// Workers that wait for nobody (AD-PSGD; Lian, Zhang, Zhang & Liu 2018, arXiv 1710.06952, algorithm 1), on a simulated
/// clock, all in this process. Each computes a gradient g at its model as it was when it began. When it has finished,
/// it and a neighbour, drawn uniformly, tell each other their models, both take the mean of the two, which is the
/// doubly stochastic W of a pair, and the worker steps: x_i <- x_i - lr g. Then it begins anew. Averaging takes no
/// time, and workers that finish at the same time go one after another, so that it is atomic. Not thread-safe.
class PairRounds {
 public:
  /// `mixing`: of which only who are neighbours counts. `link`: of messages, without memory. `estimators`: by worker.
  /// All models begin at `start`.
  PairRounds(std::span<const double> start, const Mixing& mixing, const ExchangeParts& link, const DelayModel& delays,
             std::vector<std::unique_ptr<Estimator>> estimators, uint64_t seed);

  /// All begin. Not where a run goes on from a save.
  void Begin();
  /// The next gradient that is finished.
  void Step(double lr);

  size_t size() const { return workers_.size(); }
  std::span<const double> model(size_t worker) const { return workers_[worker].x; }
  /// The models that were moved so far.
  bool is_finite() const { return is_finite_; }
  double now() const { return clock_.now(); }
  Spread Measure() const;
  /// Of gradients by the steps between beginning and end, without bytes.
  const AsyncStats& stats() const { return stats_; }
  /// What a worker has sent.
  const ExchangeStats& sent(size_t worker) const { return workers_[worker].sender.stats(); }
  uint64_t evaluations(size_t worker) const { return workers_[worker].estimator->evaluations(); }

  /// A worker's own part of a save; the first one's has what they have in common, too.
  /// Throws Error where a save is of other neighbours.
  template <typename Archive>
  void Archived(size_t worker, Archive& archive) {
    Worker& of = workers_.at(worker);
    std::vector<uint32_t> neighbours = NeighboursOf(worker);
    archive(neighbours, of.x, of.read, of.done, of.told, of.sender);
    if (neighbours != NeighboursOf(worker)) ThrowOtherNeighbours(worker, neighbours);
    const Estimator::Memory memory = of.estimator->memory();
    for (std::vector<double>* vector : memory.vectors) archive(*vector);
    archive(*memory.evaluations);
    if (worker == 0) archive(clock_, stats_);
  }

 private:
  struct Worker {
    std::vector<double> x, read;  // the model, and the one that its gradient is computed at
    std::unique_ptr<Estimator> estimator;
    LinkEnd<double> sender, receiver;  // of its messages, at both ends: whoever hears it
    uint64_t done = 0, told = 0;       // gradients, messages
  };

  std::vector<uint32_t> NeighboursOf(size_t worker) const;
  [[noreturn]] void ThrowOtherNeighbours(size_t worker, const std::vector<uint32_t>& there) const;
  void BeginNext(uint32_t worker);
  /// What `to` gets of the worker's model.
  void Tell(Worker& worker, std::span<double> to);
  void Average(Worker& one, Worker& other);

  const Mixing& mixing_;
  const uint64_t seed_;
  std::deque<Worker> workers_;
  SimulatedClock clock_;
  AsyncStats stats_;
  bool is_finite_ = true;
  std::vector<double> gradient_, of_one_, of_other_;
};

}  // namespace gradwire
