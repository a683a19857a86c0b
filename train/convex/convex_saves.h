// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "problem/problem.h"
#include "train/checkpoint/archive.h"
#include "train/checkpoint/checkpoints.h"
#include "train/launch/stop_signal.h"
#include "train/report/report.h"

namespace gradwire::train {

/// What convex runs of all modes have in common as to checkpoints. One rank's; all ranks call it alike.
class ConvexSaves {
 public:
  /// `epoch`: steps that are one. `stop`: of the process; null where nothing stops it. All arguments outlive this.
  /// Throws what Checkpoints throws.
  ConvexSaves(const Config& config, const Problem& problem, Collective& exact, Notes& notes, int64_t epoch,
              const StopSignal* stop)
      : config_(config), problem_(problem), checkpoints_(config, exact, notes), epoch_(epoch), stop_(stop) {}

  std::optional<int64_t> OwnStep() const { return checkpoints_.OwnStep(); }

  /// The step to go on at, with the state after it. Throws ConfigError where the save is
  /// of another length, number of ranks or problem, Error where it is of another version.
  template <typename State>
  int64_t GoOn(State& state, Report& report) {
    const std::optional<Save> save = Begin(report);
    if (!save) return 0;
    GetState(save->files[0], kState, state);
    return static_cast<int64_t>(save->step);
  }

  /// After a step; `is_point`: all ranks took part in an exchange at its end. Saves where it is time. Returns the exit
  /// code of a run that a signal has stopped, else 0. Throws Error where it cannot be written, PeerError where a rank
  /// is lost.
  template <typename State>
  int After(int64_t step, bool is_point, const State& state, Report& report) {
    const auto due = checkpoints_.After({.is_point = is_point,
                                         .epochs_ended = step % epoch_ == 0 ? step / epoch_ : 0,
                                         .is_last = step == config_.train.steps,
                                         .signal = stop_ ? stop_->received() : 0});
    if (!due.save) return 0;
    Snapshot file;
    PutState(file, kState, state);
    return Write(step, file, due.signal, report);
  }

 private:
  static constexpr const char* kState = "convex run";

  std::optional<Save> Begin(Report& report);
  int Write(int64_t step, Snapshot& file, int signal, Report& report);

  const Config& config_;
  const Problem& problem_;
  Checkpoints checkpoints_;
  const int64_t epoch_;
  const StopSignal* stop_;
};

}  // namespace gradwire::train
