// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "driver/async.h"
#include "train/checkpoint/resume.h"
#include "train/network/batches.h"
#include "train/network/network.h"
#include "train/report/meter.h"

namespace gradwire::train {

/// What the steps of a network's run are: rounds of all ranks, or gradients that a server applies. For the rank's own
/// thread, in this order: perhaps Load, then Begin, then Make again and again, and End; the rest at any time between.
class Steps {
 public:
  virtual ~Steps() = default;

  /// `lr`: of the first step.
  virtual void Begin(double lr) = 0;
  /// Returns whether all ranks took part in an exchange at its end. A server throws NoWorkers.
  virtual bool Make(int64_t step, double lr) = 0;
  /// After the last step: the model becomes one of all ranks.
  virtual void End(int64_t step, double lr) = 0;

  /// Before an evaluation: puts batch norm's statistics in order, and returns the model to evaluate, by parameter;
  /// empty where it is the network's own.
  virtual std::vector<std::span<const float>> PrepareEvaluation() = 0;
  virtual Effort Look() = 0;
  virtual int workers() const = 0;           ///< ranks, or the server's workers
  virtual uint64_t dense_bytes() const = 0;  ///< that float32 would send in a step: a ring all-reduce, or a worker
  virtual std::optional<AsyncStats> stats() const = 0;  ///< of a server

  /// The network, and all else that later steps depend on but for their number: data, random bits and learning rate are
  /// functions of it. Between two steps.
  virtual void Save(Snapshot& file) = 0;
  /// With another number of ranks the model and its momentum are those of rank 0 (in local mode the agreed model), and
  /// memory is shared out as Reshard says. Throws Error where the save is of another model.
  virtual void Load(const train::Save& save) = 0;
};

/// What steps work on; all outlives them. `config`: of the run; the network's own where it is on one rank.
struct StepsOf {
  const Config& config;
  const RankEnv& env;
  const World& world;
  Network& network;
  Batches& batches;

  /// The batch of a step becomes the network's.
  void SetBatch(int64_t step) const {
    Batch batch = batches.Train(step);
    network.SetBatch(std::move(batch.images), std::move(batch.labels));
  }
};

/// Gradient rounds, and model rounds in local mode.
std::unique_ptr<Steps> MakeRoundSteps(const StepsOf& of);
/// Of an asynchronous run's server, whose workers may come from now on. `say`: for what the user should know.
std::unique_ptr<Steps> MakeServerSteps(const StepsOf& of, std::function<void(const std::string&)> say);

}  // namespace gradwire::train
