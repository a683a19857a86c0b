// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include <torch/csrc/distributed/c10d/comm.hpp>

#include "gradwire/bucket.h"

namespace gradwire {

/// Where a Reducer's buckets go. Shared by the hook, which the Reducer owns, and by whoever drives the training.
class GradientRoute {
 public:
  /// `parameters`: in the order of the exchange's list of parameters.
  GradientRoute(const std::vector<at::Tensor>& parameters, BucketSink<float>& sink);

  /// Hands over one bucket; the future holds the bucket's tensor, with the mean in it, or the error. Called by the
  /// Reducer, in bucket order. Counts steps: one ends with its last bucket.
  c10::intrusive_ptr<c10::ivalue::Future> Push(c10d::GradBucket& bucket);

  /// The next bucket belongs to this step and goes to this sink.
  void Restart(const Round& round, BucketSink<float>& sink);

  /// Seconds, since construction, between the last bucket of a step and the last result: what the exchange cost beyond
  /// the time that backward hid.
  double exposed_s() const { return exposed_s_.load(); }

 private:
  using Clock = std::chrono::steady_clock;

  std::shared_ptr<const std::vector<Segment>> SegmentsOf(const c10d::GradBucket& bucket) const;

  std::unordered_map<const void*, uint32_t> ids_;  // TensorImpl -> parameter id
  BucketSink<float>* sink_;
  Round round_;
  std::atomic<double> exposed_s_ = 0;
};

/// The hook for Reducer::register_comm_hook.
std::unique_ptr<c10d::CommHookInterface> MakeCommHook(std::shared_ptr<GradientRoute> route);

}  // namespace gradwire
