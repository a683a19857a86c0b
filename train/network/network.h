// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include <torch/optim/sgd.h>

#include "base/snapshot_file.h"
#include "driver/objective.h"
#include "gradwire/ddp.h"
#include "train/config/config.h"
#include "train/join/world.h"
#include "train/models/resnet.h"
#include "train/report/tally.h"

namespace gradwire::train {

/// The network over this rank's images, as an objective: Gradient is one forward and backward pass over the batch that
/// was set, and its buckets leave while backward goes on; Step is SGD with momentum.
class Network : public Objective<float> {
 public:
  /// Builds, initialises (the same on every rank) and connects the model. `asks`: whether comm.when may still be a
  /// question, which its DDP then asks; else gradients go as the settings say.
  Network(const Config& config, const World& world, bool asks = true);

  const std::vector<Parameter>& parameters() const override { return parameters_; }
  void Gradient(const Round& round, BucketSink<float>& sink) override;
  std::vector<std::span<float>> parameter_values() override;
  std::vector<std::span<float>> gradient() override;
  void Step(double lr) override;
  void AddDecay() override;

  /// images: [N, 3, 32, 32]; labels: [N], int64.
  void SetBatch(at::Tensor images, at::Tensor labels);
  /// This rank's gradient of the batch at another point (by parameter, as parameter_values()), which goes nowhere:
  /// model, batch norm's statistics, gradients and the tally stay as they are. Each tensor has its parameter's layout.
  /// `seen`: gets the batch's loss and accuracy there as well.
  std::vector<at::Tensor> GradientAt(const std::vector<std::span<const float>>& point, Tally* seen = nullptr);
  /// The loss of that batch there, in the same way.
  double LossAt(const std::vector<std::span<const float>>& point);
  /// Mean loss of the last batch on this rank.
  double last_loss() const { return last_loss_; }
  /// Loss and accuracy of the batches since the last call, on this rank.
  Tally TakeTally();
  const Tally& tally() const { return tally_; }
  void SetTally(const Tally& tally) { tally_ = tally; }
  void AddTally(const Tally& tally) { tally_ += tally; }
  /// Batch norm's statistics become those of these batches at the current model, each weighted alike (Wu and Johnson
  /// 2021, arXiv 2105.07576, section 3): for a model that steps without seeing images.
  void MeasureStatistics(const std::vector<at::Tensor>& batches);
  /// Adds a batch's loss and accuracy without training on it.
  void Evaluate(const at::Tensor& images, const at::Tensor& labels, Tally& tally);

  DistributedDataParallel<ImageModel>& ddp() { return *ddp_; }

  /// Parameters, buffers and the optimizer's momentum, by name, elements in row-major order whatever their layout.
  void Save(Snapshot& file) const;
  /// Replaces them. Throws Error where the file is of another model.
  void Load(const Snapshot& file);
  /// A backward pass over the batch that was set, whose gradients go nowhere: after it the Reducer has its buckets in
  /// the order of the gradients, as after a run's first step, and the model and the tally are as they were. The next
  /// pass waits for all ranks: there the Reducer makes those buckets.
  void SettleBuckets();

 private:
  /// Sleeps for what this rank is to be slower since then.
  void BeSlow(std::chrono::steady_clock::time_point begin) const;

  std::shared_ptr<ImageModel> model_;
  std::unique_ptr<DistributedDataParallel<ImageModel>> ddp_;
  std::unique_ptr<torch::optim::SGD> optimizer_;
  std::vector<Parameter> parameters_;
  at::Tensor images_, labels_;
  Tally tally_;
  double last_loss_ = 0;
  double slow_factor_ = 1;
};

/// The parameters of a model.pt of this configuration's model, one behind another, each in the layout that a Network's
/// has. Throws ConfigError (analysis.reference) where there is none, or it is of another model.
std::vector<float> PointIn(const Config& config, const std::string& file);

}  // namespace gradwire::train
