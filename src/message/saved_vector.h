// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "message/channel.h"

namespace gradwire {

/// One vector of the memory of a rank's links. T is float or double.
template <typename T>
struct SavedVector {
  bool down = false;  ///< of the way back
  uint32_t parameter = 0;
  std::string name;
  std::vector<T> values;  ///< StateStore::NumelOf, row by row whatever its order in buckets
  uint32_t channel = 0;   ///< below 128

  /// Channel 0 is written as it was before there were others.
  template <typename Archive>
  void serialize(Archive& archive) {
    auto way = static_cast<uint8_t>(down | channel << 1);
    archive(way, parameter, name, values);
    down = (way & 1) != 0, channel = way >> 1;
  }
};

/// Copies of all vectors of a channel, which gets this number in them.
template <typename T>
std::vector<SavedVector<T>> SaveVectors(const Channel<T>& channel, uint32_t number = 0);

/// Throws Error where `memory` is not what SaveVectors gives for this channel: a vector is missing, unknown, not finite
/// or not of its parameter's size.
template <typename T>
void CheckVectors(const Channel<T>& channel, const std::vector<SavedVector<T>>& memory);

/// Replaces the memory, which was checked.
template <typename T>
void LoadVectors(Channel<T>& channel, const std::vector<SavedVector<T>>& memory);

}  // namespace gradwire
