// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "train/resume.h"
#include "train/save_plan.h"
#include "train/saves.h"

namespace gradwire::train {

/// When a rank saves, where to, and what it begins from. All ranks call it alike; the trainer fills in the contents.
class Checkpoints {
 public:
  /// Decides with the other ranks what to begin from; throws what ChooseBeginning throws.
  Checkpoints(const Config& config, const World& world);

  Beginning& beginning() { return beginning_; }
  bool is_on() const { return config_.checkpoint.is_on(); }

  struct StepEnd {
    bool is_point = false;     ///< all ranks took part in an exchange
    int64_t epochs_ended = 0;  ///< where the step ended one: how many so far; else 0
    bool is_last = false;
    int signal = 0;  ///< that this rank has received
  };
  struct Due {
    bool save = false;
    int signal = 0;  ///< that stops the run after it
  };
  /// What all ranks do after a step. Throws PeerError where the job's store is lost.
  Due After(const StepEnd& end);

  /// Writes this rank's file, waits until all ranks have written theirs, and removes old saves. Returns the folder.
  /// Throws Error where it cannot be written.
  std::string Write(uint64_t step, Snapshot& file);

 private:
  using Clock = std::chrono::steady_clock;

  bool IsTime() const;

  const Config& config_;
  const World& world_;
  SavePlan plan_;
  Beginning beginning_;
  OwnSaves own_;
  uint64_t job_ = 0;
  Clock::time_point saved_at_ = Clock::now();
};

}  // namespace gradwire::train
