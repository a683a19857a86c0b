// SPDX-License-Identifier: Apache-2.0
#include "wire/positions.h"

#include <limits>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire {

/// The number of low bits that gives the fewest bits; of equal ones the smallest.
PositionCode::PositionCode(size_t k, size_t d) : k(k), d(d) {
  const size_t most = d - k;
  size_t fewest = std::numeric_limits<size_t>::max();
  for (unsigned low = 0; low <= static_cast<unsigned>(std::bit_width(most)); ++low) {
    const size_t string = most >> low > 0 ? k + (most >> low) : 0;
    if (k * low + string >= fewest) continue;
    fewest = k * low + string;
    low_bits = low, upper_bits = string;
  }
}

void RefusePosition(const PositionCode& code, size_t j, size_t position, size_t least) {
  throw PayloadError(fmt::format("position {} is {}, expected {}..{}", j, position, least, code.d - code.k + j));
}

void RefuseCount(const PositionCode& code) {
  throw PayloadError(fmt::format("positions with another number of ones than {}", code.k));
}

void RefuseUnusedBits(const PositionCode& code, std::span<const std::byte> bytes) {
  if (const size_t used = code.bits() % 8; used > 0 && bytes.back() >> used != std::byte{0})
    throw PayloadError("positions with unused bits that are not 0");
}

}  // namespace gradwire
