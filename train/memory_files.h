// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/snapshot_file.h"
#include "gradwire/exchange.h"

namespace gradwire::train {

/// One vector of the links' memory.
struct MemoryVector {
  bool down = false;  ///< of the way back
  uint32_t parameter = 0;
  std::string name;
  std::vector<float> values;
};

/// The links' memory into a file, by parameter name; in the order of elements that the exchange has. Between two steps.
void PutMemory(Snapshot& file, Exchange<float>& exchange);

/// The memory that the file holds. Throws Error where it is not of these parameters.
std::vector<MemoryVector> MemoryIn(const Snapshot& file, const std::vector<Parameter>& parameters);

/// For rank `rank` of another number of ranks, from the files of all old ones. Senders' vectors become the old ranks'
/// mean, so that the virtual iterate x - mean e does not jump. What receivers hold is the same on all ranks, or, where
/// pieces have owners, lies with them: then the sum, and each new rank keeps what it owns.
std::vector<MemoryVector> Reshard(const std::vector<Snapshot>& files, const std::vector<Parameter>& parameters,
                                  const ExchangeParts& parts, int rank, int size);

/// Replaces the exchange's memory. Between two steps.
void SetMemory(Exchange<float>& exchange, const std::vector<MemoryVector>& memory);

}  // namespace gradwire::train
