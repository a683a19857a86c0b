// SPDX-License-Identifier: Apache-2.0
#include "train/loop/run_loop.h"

#include <algorithm>
#include <utility>

#include "train/report/alpha_beta_report.h"
#include "train/report/clock.h"

namespace gradwire::train {

RunLoop::RunLoop(const RunParts& parts) : parts_(parts), config_(parts.config) {
  at_.total_steps = parts.total_steps, at_.steps_per_epoch = parts.steps_per_epoch;
}

int RunLoop::Run() {
  Resume();
  at_.lr = Lr(at_.step);
  parts_.driver.Begin(NextRound());
  Write(parts_.measurement.Begin(at_));
  // Until here a signal ends the run at once; from here on no rank waits for another one without seeing its end.
  if (parts_.stop == nullptr && config_.checkpoint.is_on()) own_stop_ = std::make_unique<StopSignal>();
  while (at_.step < at_.total_steps) {
    const bool is_point = MakeStep();
    if (!parts_.driver.is_finite()) break;
    WriteDue();
    if (const int signal = SaveDue(is_point)) return 128 + signal;
  }
  Finish();
  return 0;
}

double RunLoop::Lr(int64_t step) const {
  return LearningRate(parts_.schedule, step, at_.steps_per_epoch, at_.total_steps);
}

/// Epochs that are over, where the last step ended one; else 0.
int64_t RunLoop::EpochsEnded() const {
  return at_.step % at_.steps_per_epoch == 0 ? at_.step / at_.steps_per_epoch : 0;
}

void RunLoop::Write(const std::optional<Record>& record) {
  if (record) parts_.report.Write(*record);
}

/// From the save that the ranks chose, if any.
void RunLoop::Resume() {
  ResumePoint& point = parts_.checkpoints.resume_point();
  for (const std::string& note : point.notes) parts_.report.Log(note);
  if (!point.save) return;
  const train::Save save = *std::exchange(point.save, std::nullopt);
  CheckLength(config_, save, at_.total_steps);
  parts_.measurement.Check(save);
  at_.step = static_cast<int64_t>(save.step);
  parts_.driver.Load(save);
  parts_.measurement.Load(save);
  parts_.report.Log(ResumedText(save));
  if (is_last() && config_.checkpoint.saves() && (save.other_world || !save.is_own)) Save(0);
}

/// Saves what there is where no worker is left.
bool RunLoop::MakeStep() {
  at_.lr = Lr(at_.step);
  try {
    const bool is_point = parts_.driver.Step(NextRound());
    ++at_.step;
    return is_point;
  } catch (const NoWorkers&) {
    if (config_.checkpoint.saves()) Save(0);
    throw;
  }
}

/// The records that are due after a step.
void RunLoop::WriteDue() {
  if (at_.step % config_.log.every_steps == 0 || is_last()) Write(parts_.measurement.Interval(at_));
  const int64_t epochs = EpochsEnded();
  if (!is_last() && epochs > 0 && epochs % config_.log.eval_every == 0) Write(parts_.measurement.Evaluate(at_));
}

/// The signal that stops the run, or 0.
int RunLoop::SaveDue(bool is_point) {
  const StopSignal* stop = parts_.stop != nullptr ? parts_.stop : own_stop_.get();
  const Checkpoints::Due due = parts_.checkpoints.After({.is_point = is_point,
                                                         .epochs_ended = EpochsEnded(),
                                                         .is_last = is_last(),
                                                         .signal = stop != nullptr ? stop->received() : 0});
  if (due.save) Save(due.signal);
  return due.signal;
}

void RunLoop::Save(int signal) {
  const double begin = Now();
  const std::string folder =
      parts_.checkpoints.Write(static_cast<uint64_t>(at_.step), [this](Snapshot& file, size_t place) {
        parts_.driver.SaveOf(place, file);
        parts_.measurement.Save(file);
      });
  parts_.report.Log(SavedText(at_.step, folder));
  if (signal != 0) parts_.report.Log(StoppedText(signal, at_.step, at_.total_steps));
  parts_.measurement.Skip(Now() - begin);
}

void RunLoop::Finish() {
  const bool finite = parts_.driver.is_finite();
  if (finite) {
    parts_.driver.End({static_cast<uint64_t>(at_.total_steps), Lr(std::max<int64_t>(0, at_.total_steps - 1))});
    Write(parts_.measurement.Evaluate(at_));
  }
  Write(parts_.measurement.Final(at_, finite));
  if (const auto seen = parts_.driver.alpha_beta(); seen && parts_.report.is_heard())
    WriteAlphaBeta(*seen, config_.run.output_dir, parts_.report);
}

}  // namespace gradwire::train
