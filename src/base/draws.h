// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace gradwire {

/// Names the draws of a piece's elements (FORMAT.md, "Draws of elements"): key and counter of a counter-based
/// generator, all but the block number, which an element's position gives. So elements can be taken in any order, by
/// any vector, thread or device.
struct Draws {
  uint32_t key[2];
  uint32_t counter[3];
};

}  // namespace gradwire
