// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/snapshot_file.h"
#include "train/checkpoint/ranks.h"
#include "train/config/config.h"

namespace gradwire::train {

/// A save that all ranks can read, as those of this thread go on from it.
struct Save {
  std::string folder;
  uint64_t step = 0;
  bool is_own = false;          ///< it lies in this run's output folder
  bool other_world = false;     ///< it was saved by another number of ranks
  std::vector<Snapshot> files;  ///< those ranks'; of another world those of all old ranks, in order
};

/// What a run begins from.
struct ResumePoint {
  std::optional<Save> save;        ///< none: from the start
  std::vector<std::string> notes;  ///< for the log: saves that were passed over, and why
};

/// What a file must say of the save that it is a part of.
struct SaveLabel {
  uint64_t job = 0;  ///< random, of the run that wrote it: files of two runs do not mix
  uint64_t step = 0;
  int rank = 0, world_size = 0;
  std::string settings;  ///< SettingsText
};
void PutLabel(Snapshot& file, const SaveLabel& label);

/// A number for SaveLabel::job; rank 0's on all ranks. All ranks call it.
uint64_t DrawJob(const Ranks& ranks);

/// Decides with all ranks, which call it alike, what `checkpoint.resume` says to begin from: for auto the newest save
/// that every rank can read. Throws ConfigError where the save is of other settings, the one asked for cannot be read,
/// or where new saves would mix with another run's.
ResumePoint ChooseResumePoint(const Config& config, const Ranks& ranks);

}  // namespace gradwire::train
