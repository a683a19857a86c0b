// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "exchange/joint_exchange.h"
#include "gradwire/exchange.h"

namespace gradwire {

/// The channels of a Newton round, beside gradients in channel 0.
enum NewtonChannel : uint32_t {
  kGradients = 0,
  kHessians = 1,  ///< packed triangles (src/base/symmetric.h)
  kErrors = 2,    ///< l_i, a number; of BL3 beta_i
  kFormed = 3,    ///< (H_i + l_i I) w_i; of BL3 H_i w_i
  kValues = 4,    ///< f_i at a trial of a line search, a number
  kScaled = 5,    ///< of BL3: gamma_i w_i and gamma_i
  kBasis = 6,     ///< V_i, once
};

/// The workers that this process has, one of a job or all, and how what they send becomes a mean that all ranks hold
/// alike. Not thread-safe.
class Peers {
 public:
  virtual ~Peers() = default;

  virtual size_t size() const = 0;     ///< workers of this process
  virtual uint32_t first() const = 0;  ///< rank of the first one
  virtual uint32_t ranks() const = 0;  ///< workers of the job
  /// act(worker) once for each, perhaps by several threads.
  virtual void ForEach(const std::function<void(size_t worker)>& act) = 0;

  /// Another vector that is exchanged: see Exchange::Open.
  virtual void Open(uint32_t channel, const Parameter& parameter, const ExchangeParts& parts) = 0;
  /// What receivers hold after one vector of each worker went through the round's channel. `silent`: by worker, those
  /// that send nothing and keep their memory (ExchangeParts::may_be_silent); empty: none. The vectors stay as they are
  /// but where the channel sums messages on the way (topology allreduce). Until the next call.
  virtual std::span<const double> Mean(const Round& round, std::span<const std::span<double>> vectors,
                                       std::span<const uint8_t> silent = {}) = 0;
  /// The same of vectors that make(worker, out) writes as they are needed, perhaps by several threads; of a channel
  /// over allgather, all of whose workers send.
  virtual std::span<const double> MeanOf(const Round& round, size_t numel,
                                         const std::function<void(size_t worker, std::span<double> out)>& make) = 0;
  /// What receivers believe of a worker's vector, of a link that keeps a shift; the span stays valid.
  virtual std::span<const double> Held(uint32_t channel, size_t worker) = 0;
  /// The mean of that over all ranks.
  virtual std::span<const double> HeldMean(uint32_t channel) = 0;
};

/// One rank's worker. `exchange` outlives this.
std::unique_ptr<Peers> MakePeers(Exchange<double>& exchange, uint32_t rank, uint32_t ranks);
/// All of them.
std::unique_ptr<Peers> MakePeers(JointExchange<double>& exchange);

}  // namespace gradwire
