// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "driver/async.h"
#include "train/loop/driver.h"
#include "train/network/batches.h"
#include "train/network/network.h"
#include "train/report/meter.h"

namespace gradwire::train {

/// The steps of a network's run. With another number of ranks a loaded model and its momentum are those of rank 0 (in
/// local mode the agreed model), and memory is shared out as Reshard says; neighbours refuse it.
class NetworkDriver : public Driver {
 public:
  /// Before an evaluation: puts batch norm's statistics in order, and returns the model to evaluate, by parameter;
  /// empty where it is the network's own.
  virtual std::vector<std::span<const float>> PrepareEvaluation() = 0;
  virtual Totals totals() = 0;
  virtual int workers() const = 0;           ///< ranks, or the server's workers
  virtual uint64_t dense_bytes() const = 0;  ///< that float32 would send in a step: a ring all-reduce, or a worker
  virtual std::optional<AsyncStats> stats() const { return std::nullopt; }  ///< of a server
  /// Where ranks have models of their own: how far from their average these were at the last PrepareEvaluation.
  virtual std::optional<double> spread() const { return std::nullopt; }
};

/// What a network's run works on; all outlives it.
struct NetworkContext {
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

/// The driver that train.mode asks for. `log`: for what the user should know.
std::unique_ptr<NetworkDriver> MakeNetworkDriver(const NetworkContext& context,
                                                 std::function<void(const std::string&)> log);

/// Rounds of gradients, also delayed ones, and of models.
std::unique_ptr<NetworkDriver> MakeNetworkRounds(const NetworkContext& context);
/// Ranks that speak to their neighbours alone.
std::unique_ptr<NetworkDriver> MakeNetworkGossip(const NetworkContext& context,
                                                 const std::function<void(const std::string&)>& log);
/// The driver of an asynchronous run's server, whose workers may come from now on.
std::unique_ptr<NetworkDriver> MakeNetworkServer(const NetworkContext& context,
                                                 std::function<void(const std::string&)> log);

}  // namespace gradwire::train
