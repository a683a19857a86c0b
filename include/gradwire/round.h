// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace gradwire {

/// What all ranks know of a gradient round before it starts.
struct Round {
  // A step alone is a round: most callers have no step size to tell.
  Round(uint64_t step = 0, double lr = 1) : step(step), lr(lr) {}  // NOLINT(google-explicit-constructor)

  uint64_t step;
  double lr;  ///< step size, above 0: links with the step size inside keep their memory in its units
};

}  // namespace gradwire
