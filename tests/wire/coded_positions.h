// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <random>
#include <vector>

#include "wire/positions.h"

namespace gradwire::testing {

using Bytes = std::vector<std::byte>;
using Positions = std::vector<uint32_t>;

inline Positions RandomPositions(size_t k, size_t d, uint64_t seed = 1) {
  Positions all(d), positions;
  std::iota(all.begin(), all.end(), uint32_t{0});
  std::ranges::sample(all, std::back_inserter(positions), static_cast<std::ptrdiff_t>(k), std::mt19937_64(seed));
  return positions;
}

inline Bytes Code(const Positions& positions, size_t d, std::byte before = std::byte{0xff}) {
  const PositionCode code(positions.size(), d);
  Bytes bytes(code.bytes(), before);
  WritePositions(code, positions, bytes);
  return bytes;
}

inline Positions Read(const Bytes& bytes, size_t k, size_t d) {
  Positions positions(k + kPositionSlack);
  ReadPositions(PositionCode(k, d), bytes, positions);
  positions.resize(k);
  return positions;
}

/// log2 C(d, k): what any code needs.
inline double Entropy(size_t k, size_t d) {
  const auto log_factorial = [](size_t n) { return std::lgamma(static_cast<double>(n) + 1); };
  return (log_factorial(d) - log_factorial(k) - log_factorial(d - k)) / std::log(2.0);
}

}  // namespace gradwire::testing
