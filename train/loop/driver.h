// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "base/snapshot_file.h"
#include "driver/alpha_beta.h"
#include "gradwire/error.h"
#include "gradwire/round.h"
#include "train/checkpoint/resume.h"

namespace gradwire::train {

/// What the steps of a run are: rounds of all ranks, or gradients that a server applies. For the rank's own thread, in
/// this order: perhaps Load, then Begin, then Step again and again, and End; Save between two of them. All ranks call
/// it alike.
class Driver {
 public:
  virtual ~Driver() = default;

  /// Before the first step of this process, which is `round`.
  virtual void Begin(const Round& round) { static_cast<void>(round); }
  /// Makes the step and returns whether all ranks took part in an exchange at its end. Throws NoWorkers.
  virtual bool Step(const Round& round) = 0;
  /// After the last step: the model becomes one of all ranks. `round`: one behind the last, with the last one's lr.
  virtual void End(const Round& round) { static_cast<void>(round); }
  /// What was seen from analysis.reference, on all ranks, which call it alike; empty where it is not asked for.
  virtual std::optional<AlphaBetaMeter> alpha_beta() { return std::nullopt; }
  /// Whether the point still is finite: a run ends where it is not.
  virtual bool is_finite() const { return true; }

  /// The model, and all else that later steps depend on but for their number: data, random bits and step sizes are
  /// functions of it.
  virtual void Save(Snapshot& file) = 0;
  /// Of a driver that stands for several ranks: the file of that one of them, from 0.
  virtual void SaveOf(size_t place, Snapshot& file) {
    static_cast<void>(place);
    Save(file);
  }
  /// Throws Error where the save is of another model.
  virtual void Load(const train::Save& save) = 0;
};

/// A server has no worker left, and none has come: there will be no step before another run.
class NoWorkers : public Error {
 public:
  using Error::Error;
};

}  // namespace gradwire::train
