// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "measure/statistics.h"

namespace gradwire::train {

/// What the positions of a sparse payload cost, of pieces of which a share is kept.
struct PositionTimes {
  std::string name;              ///< "positions:1%"
  Interval write_ns, read_ns;    ///< of a position
  double bits = 0, entropy = 0;  ///< of a position; entropy: log2 of the choices there are, a position's part of it
};

/// Writes and reads the positions of a gradient of `numel` elements, piece by piece, so many rounds; random positions,
/// `percent` of a piece. Throws Error where what is read is not what was written.
PositionTimes TimePositions(double percent, size_t numel, size_t rounds);

}  // namespace gradwire::train
