// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include <torch/csrc/distributed/c10d/reducer.hpp>

#include "gradwire/comm_config.h"
#include "gradwire/ddp_hook.h"
#include "gradwire/exchange_parts.h"

namespace gradwire {

/// Whether a Reducer's own all-reduce does all that these settings ask for: the plain mean, and no time-out but that of
/// DDP's group. It divides by n while it fills its buckets, which
/// costs a hook a pass of its own.
bool SufficesDdpsOwn(const CommConfig& comm, const ExchangeParts& parts);

/// What is known of a Reducer that reduces by itself, from its counters: nothing of it is measured. Between two steps.
class OwnReduction {
 public:
  explicit OwnReduction(const std::shared_ptr<c10d::Reducer>& reducer);

  /// The step of the next gradient. A backward pass counts if it follows a forward outside of no_sync.
  uint64_t step() const { return first_step_ + Reduced(); }
  void SetStep(uint64_t step) { first_step_ = step - Reduced(); }

  /// Bytes as a ring sends them, 2 (n-1)/n of each bucket, in the gradients' dtype; no times.
  std::map<uint32_t, BucketTotals> Totals(int world_size) const;

 private:
  uint64_t Reduced() const;  // since construction

  std::weak_ptr<c10d::Reducer> reducer_;
  std::vector<uint64_t> first_;  // bytes of the buckets that it may make anew after its first reduction
  bool had_rebuilt_ = false;
  uint64_t before_ = 0, first_step_ = 0;
};

}  // namespace gradwire
