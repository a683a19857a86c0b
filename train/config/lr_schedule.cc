// SPDX-License-Identifier: Apache-2.0
#include "train/config/lr_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gradwire::train {
namespace {

double Multistep(const LrSchedule& schedule, double epoch) {
  const auto passed = std::count_if(schedule.milestones.begin(), schedule.milestones.end(),
                                    [epoch](double milestone) { return epoch >= milestone; });
  return std::pow(schedule.gamma, static_cast<double>(passed));
}

/// Half a cosine, 1 at step 0 and before, 0 at step `last` (Loshchilov and Hutter, SGDR, ICLR 2017, without restarts).
double Cosine(double step, double last) {
  return step <= 0 ? 1 : 0.5 * (1 + std::cos(std::numbers::pi * std::min(step / last, 1.0)));
}

}  // namespace

LrSchedule ScheduleOf(const Config& config, double lr) {
  const LrSchedulerConfig& c = config.lr_scheduler;
  const LrDecay decay = c.name == "multistep" ? LrDecay::kMultistep
                        : c.name == "cosine"  ? LrDecay::kCosine
                        : c.name == "inverse" ? LrDecay::kInverse
                                              : LrDecay::kConstant;
  return {lr, decay, c.milestones, c.gamma, c.shift, c.warmup_epochs};
}

double LearningRate(const LrSchedule& schedule, int64_t step, int64_t steps_per_epoch, int64_t total_steps) {
  const auto now = static_cast<double>(step), per_epoch = static_cast<double>(steps_per_epoch);
  const double warmup_steps = std::round(schedule.warmup_epochs * per_epoch);
  double lr = schedule.lr;
  if (now < warmup_steps) lr *= (now + 1) / warmup_steps;
  switch (schedule.decay) {
    case LrDecay::kConstant: return lr;
    case LrDecay::kMultistep: return lr * Multistep(schedule, now / per_epoch);
    case LrDecay::kInverse: return lr * schedule.shift / (schedule.shift + std::max(0.0, now - warmup_steps));
    case LrDecay::kCosine: return lr * Cosine(now - warmup_steps, static_cast<double>(total_steps) - warmup_steps);
  }
  return lr;
}

}  // namespace gradwire::train
