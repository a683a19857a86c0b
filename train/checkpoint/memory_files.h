// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <vector>

#include "base/snapshot_file.h"
#include "exchange/saved_memory.h"
#include "train/checkpoint/archive.h"
#include "train/checkpoint/resume.h"

namespace gradwire::train {

using MemoryVector = SavedVector<float>;

/// The links' memory into a file, by parameter name, row by row. Between two steps.
void PutMemory(Snapshot& file, Exchange<float>& exchange);

/// Which links have opened, in an entry of its own.
template <typename AnyExchange>
void PutOpenings(Snapshot& file, AnyExchange& exchange) {
  PutState(file, "openings", OpeningsOf(exchange));
}

/// After the memory was loaded. A save of before has no such entry: its links opened with their first step.
template <typename AnyExchange>
void LoadOpenings(const train::Save& save, AnyExchange& exchange) {
  if (!save.files[0].Has("openings")) return exchange.GoOnAt(save.step);
  std::map<uint32_t, uint64_t> openings;
  GetState(save.files[0], "openings", openings);
  SetOpenings(exchange, openings);
}

/// The memory that the file holds. Throws Error where it is not of these parameters.
std::vector<MemoryVector> MemoryIn(const Snapshot& file, const std::vector<Parameter>& parameters);

/// gradwire::Reshard of the files of all old ranks.
std::vector<MemoryVector> Reshard(const std::vector<Snapshot>& files, const std::vector<Parameter>& parameters,
                                  std::string_view topology);

}  // namespace gradwire::train
