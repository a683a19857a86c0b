// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "train/checkpoint/checkpoints.h"
#include "train/config/config.h"
#include "train/config/lr_schedule.h"
#include "train/launch/stop_signal.h"
#include "train/loop/driver.h"
#include "train/loop/measurement.h"
#include "train/report/report.h"

namespace gradwire::train {

/// What a run is made of; all outlives it.
struct RunParts {
  const Config& config;
  Driver& driver;
  Measurement& measurement;
  Report& report;
  Checkpoints& checkpoints;
  LrSchedule schedule;
  int64_t steps_per_epoch = 1, total_steps = 0;
  const StopSignal* stop = nullptr;  ///< the process's; null: the run notes signals itself, from its first step on
};

/// One rank's run, of a network or a convex problem, by any driver.
class RunLoop {
 public:
  explicit RunLoop(const RunParts& parts);

  /// Goes on from the save that the ranks chose, makes the steps that are left, with the records and saves that are
  /// due, and ends where the point is not finite. Once. Returns the exit code: 0, or 128 + the signal after which all
  /// ranks have saved and stopped. Throws what went wrong. A signal that the run notes itself is only noted as long as
  /// this lives: none disturbs the ranks on their way out.
  int Run();

 private:
  double Lr(int64_t step) const;
  Round NextRound() const { return {static_cast<uint64_t>(at_.step), at_.lr}; }
  bool is_last() const { return at_.step == at_.total_steps; }
  int64_t EpochsEnded() const;
  void Write(const std::optional<Record>& record);
  void Resume();
  bool MakeStep();
  void WriteDue();
  int SaveDue(bool is_point);
  void Save(int signal);
  void Finish();

  const RunParts parts_;
  const Config& config_;
  std::unique_ptr<StopSignal> own_stop_;
  RunPosition at_;
};

}  // namespace gradwire::train
