// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "train/config/config.h"

namespace gradwire::train {

// Where a run's saves lie: OUTPUT_DIR/checkpoints/step00000120/rank0, ...

std::string SavesFolder(const Config& config);
std::string StepFolder(const std::string& saves, uint64_t step);
std::string RankFile(const std::string& step_folder, int rank);

/// The steps that have a folder, complete or not, in ascending order; none where `saves` does not exist.
std::vector<uint64_t> StepsIn(const std::string& saves);

/// Which saves of a folder a run may go on from: those up to where it began, and its own.
struct OwnSaves {
  uint64_t begin = 0;
  std::set<uint64_t> written = {};

  bool Has(uint64_t step) const { return step <= begin || written.contains(step); }
};

/// Removes all but the newest `keep` own saves, and those that are not the run's own (damaged, passed over). Rank 0
/// removes folders, another rank its file and the folder where it is the last one there: ranks may have disks of
/// their own. What cannot be removed stays.
void Prune(const std::string& saves, const OwnSaves& own, int64_t keep, int rank);

}  // namespace gradwire::train
