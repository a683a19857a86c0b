// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "train/checkpoint/resume.h"
#include "train/run/network_driver.h"

namespace gradwire::train {

/// Takes the noise of each batch B at an anchor w off its gradient: grad_B(x) - grad_B(w) + grad f_i(w), loopless SVRG
/// (Kovalev, Horvath, Richtarik, ALT 2020, arXiv 1901.08689) of a network. f_i is the mean over this rank's batches of
/// the epoch in which the anchor came to w, augmented as they are then; all ranks' together have each image once. w
/// moves to x after a round with probability 1/period, by one coin for all ranks, since a round waits for the slowest
/// of them anyway. Batch norm takes the batch's own statistics at w too, and its running ones stay as they are. Costs a
/// second pass a round, and an epoch's passes a move. Not thread-safe.
class NetworkAnchor {
 public:
  /// What `context` refers to outlives this. objective.anchor_period 0 stands for an epoch's batches.
  explicit NetworkAnchor(const NetworkContext& context);

  /// Before a round's batch is set: the first round's point is the first anchor.
  void Begin(const Round& round);
  /// The sink for gradients of the batch that is set, which puts them right and hands them to `sink`.
  BucketSink<float>& Correcting(BucketSink<float>& sink);
  /// After the round's pass, at the point where it was made.
  void End(const Round& round);

  void Save(Snapshot& file) const;
  /// In a job of another size the first round begins anew: every f_i is another one.
  void Load(const train::Save& save);

 private:
  /// Adds what corrects the batch's gradient to each bucket.
  class Sink final : public BucketSink<float> {
   public:
    void Push(const Round& round, const Bucket<float>& bucket, std::function<void(std::exception_ptr)> done) override;
    BucketSink<float>* next = nullptr;
    std::vector<float> correction;  // all parameters one behind another
    std::vector<size_t> begins;     // of the parameters
  };

  void MoveToPoint(uint64_t step);
  void Touch() const;
  /// Adds `weight` times the gradient of the set batch at the anchor to `sum`, all parameters one behind another.
  void AddGradient(float weight, std::vector<float>& sum) const;

  const NetworkContext context_;
  const double p_;             // of a move
  std::vector<float> anchor_;  // w; empty before the first round
  std::vector<float> full_;    // grad f_i(w)
  Sink sink_;
};

}  // namespace gradwire::train
