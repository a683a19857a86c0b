// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace gradwire {

/// Something to time. Both are told which of the rotating sets of buffers to take.
struct Subject {
  std::function<void(size_t set)> work;
  std::function<void(size_t set)> prepare = nullptr;  ///< before each time, not timed
};

/// Seconds of each subject in each round: times[subject][round]. A round runs every subject once, in an order of its
/// own, and the next run takes the next set, so that what one left in the cache is not what the next one reads. A round
/// before the first is not counted: it makes pages and caches.
std::vector<std::vector<double>> TimeRounds(const std::vector<Subject>& subjects, size_t rounds, size_t sets,
                                            uint64_t seed = 1);

}  // namespace gradwire
