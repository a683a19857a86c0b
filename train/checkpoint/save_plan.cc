// SPDX-License-Identifier: Apache-2.0
#include "train/checkpoint/save_plan.h"

#include <sstream>

namespace gradwire::train {

std::optional<SavePlan::Due> SavePlan::PassPoint() {
  ++point_;
  const std::optional<std::string> note = notes_.Read(Key());
  if (!note) return std::nullopt;
  std::istringstream words(*note);
  uint64_t point = 0;
  Due due;
  words >> point >> due.signal;
  if (point != point_) return std::nullopt;
  ++done_;
  proposed_ = false;
  return due;
}

void SavePlan::Propose(int signal) {
  if (proposed_) return;
  proposed_ = true;
  notes_.Leave(Key(), std::to_string(point_ + 1) + " " + std::to_string(signal));
}

}  // namespace gradwire::train
