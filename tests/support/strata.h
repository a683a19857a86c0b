// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "compress/stream.h"
#include "kernels/kernels.h"
#include "support/operators.h"

namespace gradwire::testing {

/// k positions of n, as rand-k draws them in a step.
inline std::vector<uint32_t> Strata(size_t n, size_t k, uint64_t step) {
  std::vector<uint32_t> positions(k);
  kernels::DrawStrata<float>(DrawsOf(SiteOf(Piece::Whole(n), step)), n, k, positions.data());
  return positions;
}

}  // namespace gradwire::testing
