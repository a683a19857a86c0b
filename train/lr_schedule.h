// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace gradwire::train {

enum class LrDecay { kConstant, kMultistep, kCosine };

/// The learning rate over a training run: lr x warm-up x decay.
struct LrSchedule {
  double lr = 0.1;
  LrDecay decay = LrDecay::kConstant;
  std::vector<double> milestones = {};  ///< epochs, fractions allowed, at each of which kMultistep multiplies by gamma
  double gamma = 0.1;
  double warmup_epochs = 0;  ///< linear from lr / w to lr over the first w steps
};

/// The rate of `step` (from 0) of `total_steps`. kCosine starts after the warm-up and reaches 0 at total_steps.
double LearningRate(const LrSchedule& schedule, int64_t step, int64_t steps_per_epoch, int64_t total_steps);

}  // namespace gradwire::train
