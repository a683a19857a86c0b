// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace gradwire::kernels {

/// The numbers of the bits that are set in a byte, in order; then zeros.
inline constexpr std::array<std::array<uint8_t, 8>, 256> kLanesOf = [] {
  std::array<std::array<uint8_t, 8>, 256> lanes{};
  for (size_t byte = 0; byte < 256; ++byte)
    for (uint8_t lane = 0, next = 0; lane < 8; ++lane)
      if (byte >> lane & 1) lanes[byte][next++] = lane;
  return lanes;
}();

}  // namespace gradwire::kernels
