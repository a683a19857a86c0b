// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <vector>

#include "measure/memory.h"
#include "measure/statistics.h"
#include "train/bench/task.h"

namespace gradwire::train {

/// Rotating sets of vectors, so that nothing which is timed lies in a cache: gradients, what the rooflines write, what
/// decoders write, and residuals.
class BenchBuffers {
 public:
  /// As many sets as hold twice the last-level cache in each kind, at least 3 and at most 64, and no more than fit half
  /// of the free memory. Throws Error where that is not enough for one.
  explicit BenchBuffers(size_t numel);

  struct Set {
    Floats gradient, copy, mean, residual;
    explicit Set(size_t numel) : gradient(numel), copy(numel), mean(numel), residual(numel) {}
  };
  size_t numel() const { return numel_; }
  std::vector<Set>& sets() { return sets_; }
  /// Whether a set has left the cache before its turn comes again.
  bool leave_the_cache() const;

 private:
  size_t numel_;
  std::vector<Set> sets_;
};

/// One task's times, and as multiples of each roofline's of the same rounds, by kRooflines.
struct Timed {
  Task task;
  Interval seconds;
  std::array<Interval, kRooflines.size()> ratios;
};

struct OperatorTimes {
  std::string spec;
  size_t payload_bytes = 0;
  std::vector<Timed> tasks;
  std::array<Interval, kRooflines.size()> rooflines;  ///< seconds
};

/// Times an operator's tasks and the rooflines, round by round in shuffled order. Residuals are in the steady state of
/// an operator that contracts: after 40 steps of error feedback. Of one that does not they would grow without bound,
/// and are renewed before each time.
OperatorTimes TimeOperator(const std::string& spec, const std::vector<Task>& tasks, BenchBuffers& buffers,
                           size_t rounds);

}  // namespace gradwire::train
