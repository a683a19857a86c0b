// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace gradwire {

/// What becomes of the memory that a sum is decoded into.
enum class Into : uint8_t {
  kAdd,     ///< out += sum
  kWrite,   ///< out = sum
  kStream,  ///< the same, past the caches: for results that are larger than those, and are not read at once
};

}  // namespace gradwire
