// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "train/checkpoint/resume.h"
#include "train/checkpoint/save_plan.h"
#include "train/checkpoint/saves.h"

namespace gradwire::train {

/// When ranks save, where to, and what they begin from. All call it alike; the trainer fills in the contents. The
/// methods are for the ranks' own thread.
class Checkpoints {
 public:
  /// Decides with the other ranks what to begin from; throws what ChooseResumePoint throws. `ranks`: with a collective
  /// for use between two exchanges, such as the metrics'. All arguments outlive this.
  Checkpoints(const Config& config, const Ranks& ranks, Notes& notes);

  ResumePoint& resume_point() { return resume_point_; }
  /// The step of the save that this run goes on from, where it is in its own folder: what was written up to there
  /// stays.
  std::optional<int64_t> OwnStep() const;
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
  /// What all ranks do after a step. Throws PeerError where the notes are lost.
  Due After(const StepEnd& end);

  /// Writes a file for each of this thread's ranks, filled by `fill(file, place of the rank among them)`, waits until
  /// all ranks have written theirs, and removes old saves. Returns the folder. Throws Error where it cannot be written.
  std::string Write(uint64_t step, const std::function<void(Snapshot& file, size_t place)>& fill);

 private:
  using Clock = std::chrono::steady_clock;

  bool IsTime() const;

  const Config& config_;
  const Ranks ranks_;
  SavePlan plan_;
  ResumePoint resume_point_;
  OwnSaves own_;
  uint64_t job_ = 0;
  Clock::time_point saved_at_ = Clock::now();
};

/// Throws ConfigError where a run of so many steps is over before the save.
void CheckLength(const Config& config, const Save& save, int64_t steps);

// What a run says of its saves.
std::string ResumedText(const Save& save);
std::string SavedText(int64_t step, const std::string& folder);
std::string StoppedText(int signal, int64_t step, int64_t steps);

}  // namespace gradwire::train
