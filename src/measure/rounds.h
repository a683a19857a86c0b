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

/// What seconds are of: the time that passes, or, for work that waits for nobody, what this thread has had of a core,
/// which on a machine with other users is its own.
enum class Clock { kWall, kThread };

/// The clock's seconds so far.
double SecondsOf(Clock clock);

/// Seconds of each subject in each round: times[subject][round]. A round runs every subject once, in an order of its
/// own, and the next run takes the next set, so that what one left in the cache is not what the next one reads. A round
/// before the first is not counted: it makes pages and caches.
std::vector<std::vector<double>> TimeRounds(const std::vector<Subject>& subjects, size_t rounds, size_t sets,
                                            Clock clock);

}  // namespace gradwire
