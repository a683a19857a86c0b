// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/codes.h"

namespace gradwire::testing {

/// Codes as a payload has them, packed block by block.
inline std::vector<std::byte> Pack(kernels::CodeSpace space, const std::vector<uint16_t>& codes) {
  std::vector<std::byte> bytes(space.bytes(codes.size()), std::byte{0xff});
  kernels::ForBlocks(codes.size(), [&](size_t first, size_t n) {
    space.Pack(codes.size(), first, std::span(codes).subspan(first, n), bytes.data());
  });
  return bytes;
}

inline std::vector<uint16_t> Unpack(kernels::CodeSpace space, const std::vector<std::byte>& bytes, size_t n) {
  std::vector<uint16_t> codes(n);
  kernels::ForBlocks(n, [&](size_t first, size_t count) {
    space.Unpack(n, first, bytes.data(), std::span(codes).subspan(first, count));
  });
  return codes;
}

}  // namespace gradwire::testing
