// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <numeric>
#include <utility>
#include <vector>

#include "base/philox.h"

namespace gradwire {

/// What random bits of averaging are drawn for: the first name of a stream of Purpose::kMeet, the second is the round.
enum class MeetDraw : uint64_t { kGroups, kCells, kOrder, kFailures, kValues, kRestart };

inline Philox StreamOf(uint64_t seed, MeetDraw draw, uint64_t round, uint32_t group = 0) {
  return {seed, Purpose::kMeet, uint64_t{group} << 32 | static_cast<uint64_t>(draw), round};
}

/// 0, 1, ..., n - 1 in a random order, each as likely.
inline std::vector<uint32_t> Shuffled(size_t n, Philox random) {
  std::vector<uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  for (size_t left = n; left > 1; --left) std::swap(order[left - 1], order[random.Below(static_cast<uint32_t>(left))]);
  return order;
}

}  // namespace gradwire
