// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/snapshot_file.h"
#include "driver/workers.h"
#include "message/saved_vector.h"
#include "newton/peers.h"
#include "train/convex/convex_driver.h"

namespace gradwire::train {

using ConvexMemory = std::vector<SavedVector<double>>;

/// How the workers of this process exchange: one of them over a collective, or all with each other.
class ConvexExchange {
 public:
  virtual ~ConvexExchange() = default;

  /// See Exchange: with the parameters and parts of channel 0.
  virtual void Open(uint32_t channel) = 0;
  /// As workers with these objectives, by worker; this and they outlive them.
  virtual std::unique_ptr<Workers<double>> MakeWorkers(std::vector<Objective<double>*> objectives) = 0;
  /// As peers, who exchange any vectors.
  virtual std::unique_ptr<Peers> MakePeers() = 0;
  /// Of the channels' memory; see Exchange.
  virtual void ForgetMemory() = 0;

  /// What that worker has sent in this process.
  virtual ExchangeStats stats(size_t worker) const = 0;
  /// The sum over all ranks of one number that the workers of this process add up to. All ranks call it alike.
  virtual double Sum(double own) = 0;

  virtual ConvexMemory Save(size_t worker) = 0;
  virtual void Load(std::vector<ConvexMemory> memory) = 0;  ///< by worker
  virtual void SaveOpenings(Snapshot& file) = 0;
  virtual void LoadOpenings(const train::Save& save) = 0;  ///< after Load
};

/// Of as many ranks as the context's collective, or, without one, of all the problem's workers; channel 0 is open.
std::unique_ptr<ConvexExchange> MakeConvexExchange(const ConvexContext& context, std::vector<Parameter> parameters,
                                                   ExchangeParts parts);

}  // namespace gradwire::train
