// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "train/config/config.h"

namespace gradwire::train {

enum class LrDecay { kConstant, kMultistep, kCosine, kInverse };

/// The learning rate over a training run: lr x warm-up x decay.
struct LrSchedule {
  double lr = 0.1;
  LrDecay decay = LrDecay::kConstant;
  std::vector<double> milestones = {};  ///< epochs, fractions allowed, at each of which kMultistep multiplies by gamma
  double gamma = 0.1;
  double shift = 1;          ///< kInverse: steps until the rate is halved
  double warmup_epochs = 0;  ///< linear from lr / w to lr over the first w steps
};

/// The schedule of the section lr_scheduler, where optimizer.lr is `lr`.
LrSchedule ScheduleOf(const Config& config, double lr);

/// The rate of `step` (from 0) of `total_steps`. After the warm-up kCosine falls to 0 at total_steps, and kInverse is
/// lr a / (a + k) after k more steps: with lr = 8 / (mu a) that of MEM-SGD (Stich et al. 2018, arXiv 1809.07599).
double LearningRate(const LrSchedule& schedule, int64_t step, int64_t steps_per_epoch, int64_t total_steps);

}  // namespace gradwire::train
