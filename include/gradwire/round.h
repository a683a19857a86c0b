// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace gradwire {

/// What all ranks know of a gradient round before it starts.
struct Round {
  // A step alone is a round: most callers have no step size to tell.
  Round(uint64_t step = 0, double lr = 1) : step(step), lr(lr) {}  // NOLINT(google-explicit-constructor)

  /// Of a parameter.
  double LrOf(uint32_t parameter) const { return lrs ? lrs->at(parameter) : lr; }

  uint64_t step;
  double lr;  ///< step size, finite, 0 or more: links with the step size inside keep their memory in its units
  std::shared_ptr<const std::vector<double>> lrs;  ///< by parameter, where they have rates of their own; else null
};

}  // namespace gradwire
