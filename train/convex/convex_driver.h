// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gradwire/collective.h"
#include "train/convex/convex_parts.h"
#include "train/loop/driver.h"
#include "train/report/convex_records.h"

namespace gradwire::train {

/// The steps of a run on a convex problem.
class ConvexDriver : public Driver {
 public:
  /// The point that all workers held last; where they hold none in common, what gossip.evaluate says.
  virtual std::span<const double> agreed() const = 0;
  /// Fills in what the steps so far took and sent: bits, passes, time, staleness. All ranks call it alike.
  virtual void Describe(ConvexState& state) = 0;
  /// What a run by this driver says of itself at its beginning, a line each.
  virtual std::vector<std::string> Introduction() const { return {}; }
  /// Steps in which each worker sees its samples once.
  virtual int64_t steps_per_epoch() const = 0;
};

/// What a driver of a convex problem is made of; all outlives it.
struct ConvexContext {
  const Config& config;
  const ConvexSetup& setup;
  const ConvexParts& parts;
  const double lr;                   ///< optimizer.lr, by theory where it says so
  Collective* collective = nullptr;  ///< of the ranks; null: all workers are this process's
};

/// The driver that train.mode asks for, with the average that log.average asks for.
std::unique_ptr<ConvexDriver> MakeConvexDriver(const ConvexContext& context);

/// Rounds of gradients, also delayed ones, and of models. A rank is a worker: this one, or all.
std::unique_ptr<ConvexDriver> MakeConvexRounds(const ConvexContext& context);
/// Newton rounds of this rank's worker, or of all.
std::unique_ptr<ConvexDriver> MakeConvexNewton(const ConvexContext& context);
/// A server and its run.nproc workers on a simulated clock, in the thread of one rank.
std::unique_ptr<ConvexDriver> MakeConvexServer(const ConvexContext& context);

/// Workers that speak to their neighbours alone: a rank is a worker, this one, or all.
std::unique_ptr<ConvexDriver> MakeConvexGossip(const ConvexContext& context);

}  // namespace gradwire::train
