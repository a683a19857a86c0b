// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "train/checkpoint/resume.h"
#include "train/report/meter.h"

namespace gradwire::train {

/// What a save has of a run beside its model and memory: what records count, and how many training images there are.
void PutProgress(Snapshot& file, const Progress& progress, uint64_t images);

/// Reads what PutProgress wrote. What ranks of another world have seen since the last record goes to rank 0. Throws
/// ConfigError where the save is of another training set than one of so many images.
Progress ProgressIn(const Save& save, int rank, uint64_t images);

}  // namespace gradwire::train
