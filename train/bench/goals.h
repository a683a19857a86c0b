// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "measure/rooflines.h"
#include "measure/statistics.h"
#include "train/bench/task.h"

namespace gradwire::train {

/// What an operator's task may cost at most, as a multiple of a pass over the same vector in the same rounds.
struct Goal {
  int number = 0;  ///< of the goal, which may have several lines
  std::string_view spec;
  Task task;
  Roofline roofline = Roofline::kUpdate;
  double avx512 = 0, avx2 = 0;  ///< the limits; 0: none
  double intel = 0;             ///< in place of a lower one, on Intel; 0: the same
};

const std::vector<Goal>& Goals();

/// The goal's limit for an instruction set on a CPU of that vendor ("GenuineIntel"); empty where it has none.
std::optional<double> LimitOf(const Goal& goal, std::string_view isa, std::string_view vendor);

/// Goal 10: what a position of a sparse payload may cost at most, in ns to write and to read, and in its entropy; of
/// vector kernels.
inline constexpr double kWriteLimit_ns = 3, kReadLimit_ns = 5, kEntropyLimit = 1.10;

enum class Verdict { kMet, kOpen, kMissed };

/// Missed only where the whole interval lies above the limit; open where a part of it does.
Verdict Judge(const Interval& ratio, double limit);

std::string_view NameOf(Verdict verdict);

}  // namespace gradwire::train
