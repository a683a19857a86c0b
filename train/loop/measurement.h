// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "base/snapshot_file.h"
#include "train/checkpoint/resume.h"
#include "train/report/record.h"

namespace gradwire::train {

/// Where a run stands.
struct RunPosition {
  int64_t step = 0;             ///< steps done
  int64_t total_steps = 0;      ///< of the whole run
  int64_t steps_per_epoch = 1;  ///< an epoch is one pass over the data
  double lr = 0;                ///< of the last step; at first of the next one
};

/// What a run's records say, and what of that a save must hold. All ranks call it alike, since some numbers are sums
/// over them; only the first rank's records are written.
class Measurement {
 public:
  virtual ~Measurement() = default;

  /// From here on steps are made. A record of the point before the first one, where that tells something.
  virtual std::optional<Record> Begin(const RunPosition& at) = 0;
  /// The record of the steps since the last record.
  virtual Record Interval(const RunPosition& at) = 0;
  /// On data that nothing is trained on, where there are such.
  virtual std::optional<Record> Evaluate(const RunPosition&) { return std::nullopt; }
  /// At the end, after the last evaluation; writes what is left beside records. `finite`: the driver's is_finite.
  virtual Record Final(const RunPosition& at, bool finite) = 0;

  /// So many seconds passed that are no part of any step.
  virtual void Skip(double seconds) { static_cast<void>(seconds); }

  virtual void Save(Snapshot& file) = 0;
  /// Before anything is loaded: throws ConfigError where the save is of other data or of ranks that do not fit.
  virtual void Check(const train::Save& save) = 0;
  /// Loads what Save has put, after the driver has loaded its part.
  virtual void Load(const train::Save& save) { static_cast<void>(save); }
};

}  // namespace gradwire::train
