// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace gradwire {

/// Names the draws of a piece's elements (FORMAT.md, "Draws of elements"): key and counter, all but the block number,
/// of the blocks of Philox that begin the generators of 1,024 elements, and that give lower halves. So blocks of
/// elements can be taken in any order, by any vector, thread or device.
struct Draws {
  uint32_t key[2];
  uint32_t counter[3];
};

}  // namespace gradwire
