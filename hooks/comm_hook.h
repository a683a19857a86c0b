// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <torch/csrc/distributed/c10d/reducer.hpp>

#include "base/own_process.h"
#include "gradwire/bucket.h"
#include "hooks/reducer_view.h"

namespace gradwire {

/// Throws Error, naming the parameter, where there is not one step size for each, finite and 0 or more.
void CheckRates(const std::vector<Parameter>& parameters, const std::vector<double>& lrs);

/// Where a Reducer's buckets go: to a sink, as T. Shared by the hook, which the Reducer owns, and by whoever drives the
/// training. T is float or double.
template <typename T>
class GradientRoute {
 public:
  /// `named`: in the order of the exchange's list of parameters. `needs_rates`: whether the exchange has the step size
  /// inside, so that nothing can be pushed before Restart or SetRates said it.
  GradientRoute(const NamedTensors& named, BucketSink<T>& sink, bool needs_rates);

  /// The Reducer whose buckets come. When it has made them anew, `arrange` is told the orders of the parameters'
  /// elements, on all ranks alike, before the first of them goes to the sink.
  using Arrange = std::function<void(const std::vector<ElementOrder>&)>;
  void Follow(const std::shared_ptr<c10d::Reducer>& reducer, Arrange arrange);

  /// Hands over one bucket, of any floating dtype and device; the future holds the bucket's tensor, with the mean in
  /// it, or the error. Called by the Reducer, in bucket order. Counts steps: one ends with its last bucket. Sparse
  /// gradients are averaged by an all-reduce of the Reducer's own group, as DDP does without a hook. Throws Error in a
  /// forked child.
  c10::intrusive_ptr<c10::ivalue::Future> Push(c10d::GradBucket& bucket);

  /// The next bucket belongs to this step and goes to this sink.
  void Restart(const Round& round, BucketSink<T>& sink);

  /// The next bucket goes to this sink, in the round that it would have been in. What buckets have been is forgotten.
  void Redirect(BucketSink<T>& sink);

  /// From the next bucket on: gradients come multiplied by this (a GradScaler's scale), and the step sizes are these,
  /// by parameter.
  void SetScale(double scale) { scale_ = scale; }
  void SetRates(std::vector<double> lrs);

  /// The step of the next bucket.
  uint64_t step() const { return round_.step; }
  void SetStep(uint64_t step) { round_.step = step; }
  /// What a bucket has been so far: the parameters that it had last, and the bytes of all its gradients.
  struct Content {
    std::vector<uint32_t> parameters;
    uint64_t bytes = 0;
    uint64_t pushes = 0;
  };
  /// Contents by bucket. Any thread.
  std::map<uint32_t, Content> contents() const;

  /// Buckets that have got their result, and when the last one did, in seconds of the steady clock. Any thread.
  std::pair<uint64_t, double> finished() const { return {finished_.load(), finished_at_s_.load()}; }

  /// Seconds, since construction, between the push of a step's last bucket and the step's last result: what the
  /// exchange cost beyond the time that backward hid.
  double exposed_s() const { return exposed_s_.load(); }

 private:
  using Clock = std::chrono::steady_clock;

  c10::intrusive_ptr<c10::ivalue::Future> PushSparse(c10d::GradBucket& bucket, const c10d::Reducer* reducer);
  void FollowRebuild(const c10d::Reducer& reducer);
  void CheckViews(const c10d::GradBucket& bucket, const c10d::Reducer& reducer) const;
  const std::string& NameOf(const at::Tensor& parameter) const;
  std::shared_ptr<const std::vector<Segment>> SegmentsOf(const c10d::GradBucket& bucket) const;
  void Note(const Bucket<T>& bucket, uint64_t bytes, bool is_last);
  void NoteResult();

  std::unordered_map<const void*, uint32_t> ids_;  // TensorImpl -> parameter id
  std::vector<std::string> names_;                 // by parameter id
  std::weak_ptr<c10d::Reducer> reducer_;           // owns the hook, and that this
  Arrange arrange_;
  bool has_rebuilt_ = false;
  std::map<uint32_t, at::Tensor> memory_;  // of staging, by bucket
  mutable std::mutex mutex_;
  std::map<uint32_t, Content> contents_;  // guarded by mutex_
  size_t under_way_ = 0;                  // buckets; guarded by mutex_
  Clock::time_point last_pushed_;         // the last bucket of a step; guarded by mutex_
  const OwnProcess process_;
  BucketSink<T>* sink_;
  bool lacks_rates_;
  Round round_;
  double scale_ = 1;
  std::atomic<double> exposed_s_ = 0, finished_at_s_ = 0;
  std::atomic<uint64_t> finished_ = 0;
};

/// The hook for Reducer::register_comm_hook.
template <typename T>
std::unique_ptr<c10d::CommHookInterface> MakeCommHook(std::shared_ptr<GradientRoute<T>> route);

}  // namespace gradwire
