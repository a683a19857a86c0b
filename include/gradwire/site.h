// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "gradwire/piece.h"
#include "gradwire/purpose.h"

namespace gradwire {

/// Where an operator acts. It names the random bits that the operator may draw: two ends that know the site draw the
/// same bits, whatever the bucket, the thread or the device.
struct Site {
  uint64_t seed = 0;
  Purpose purpose = Purpose::kCompress;
  uint32_t worker = 0;  ///< the rank that encodes
  uint64_t step = 0;
  uint32_t parameter = 0;
  Piece piece;
  uint32_t part = 0;         ///< which operator within a combined one; 0 outside of combinations
  size_t most = ~size_t{0};  ///< elements that Encode keeps at most, of operators with keeps_fewer(); no name of bits
};

}  // namespace gradwire
