// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gradwire/exchange.h"

namespace gradwire {

/// One vector of the memory of a rank's links. T is float or double.
template <typename T>
struct SavedVector {
  bool down = false;  ///< of the way back
  uint32_t parameter = 0;
  std::string name;
  std::vector<T> values;  ///< as many as the parameter has elements

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(down, parameter, name, values);
  }
};

// All three between two steps.

/// Copies of all vectors.
template <typename T>
std::vector<SavedVector<T>> SaveMemory(Exchange<T>& exchange);

/// Replaces the memory. Throws Error, and changes nothing, where a vector is not of its parameter's size.
template <typename T>
void LoadMemory(Exchange<T>& exchange, const std::vector<SavedVector<T>>& memory);

/// For rank `rank` of `size`, from the memory of all ranks of a job of another size. Senders' vectors become the old
/// ranks' mean, so that the virtual iterate x - mean e does not jump. What receivers hold is the same on all ranks, or,
/// where pieces have owners, lies with them: then the sum, and each new rank keeps what it owns, so that another change
/// sums it right.
template <typename T>
std::vector<SavedVector<T>> Reshard(const std::vector<std::vector<SavedVector<T>>>& old_ranks, Topology topology,
                                    PieceRule piece, int rank, int size);

}  // namespace gradwire
