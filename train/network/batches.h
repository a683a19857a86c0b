// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "base/rank_env.h"
#include "train/config/config.h"
#include "train/data/dataset.h"
#include "train/data/sampler.h"

namespace gradwire::train {

/// images: [N, 3, 32, 32], float32, channels last; labels: [N], int64.
struct Batch {
  at::Tensor images, labels;
};

/// This rank's share of the data: of each global batch of the training set, and of the test set.
class Batches {
 public:
  /// Loads the data set; throws what LoadDataset and Sampler throw.
  Batches(const Config& config, const RankEnv& env);

  const Dataset& data() const { return data_; }
  int64_t per_epoch() const { return static_cast<int64_t>(sampler_.BatchesPerEpoch()); }

  /// The batch of a step of the run, counted from 0: a function of it and run.seed.
  Batch Train(int64_t step);

  /// This rank's test images: `count` from `begin` on, both within test_size().
  size_t test_size() const { return test_.size(); }
  Batch Test(size_t begin, size_t count) const;

 private:
  uint64_t seed_;
  bool augment_;
  Dataset data_;
  Sampler sampler_;
  std::vector<uint32_t> test_;
};

}  // namespace gradwire::train
