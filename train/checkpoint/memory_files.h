// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/snapshot_file.h"
#include "exchange/saved_memory.h"

namespace gradwire::train {

using MemoryVector = SavedVector<float>;

/// The links' memory into a file, by parameter name, row by row. Between two steps.
void PutMemory(Snapshot& file, Exchange<float>& exchange);

/// The memory that the file holds. Throws Error where it is not of these parameters.
std::vector<MemoryVector> MemoryIn(const Snapshot& file, const std::vector<Parameter>& parameters);

/// gradwire::Reshard of the files of all old ranks.
std::vector<MemoryVector> Reshard(const std::vector<Snapshot>& files, const std::vector<Parameter>& parameters,
                                  std::string_view topology);

}  // namespace gradwire::train
