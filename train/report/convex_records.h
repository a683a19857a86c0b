// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "driver/async.h"
#include "train/config/config.h"
#include "train/report/record.h"

namespace gradwire::train {

/// The state of a convex run after `step` rounds.
struct ConvexState {
  int64_t step = 0;
  double lr = 0;                ///< step size
  double wall_s = 0;            ///< of the rounds; taking these measurements is not counted
  double f = 0;                 ///< f(x) + R(x), over all workers' data
  std::optional<double> f_gap;  ///< f(x) + R(x) less its minimum; empty where that is not known
  std::optional<double> dist;   ///< ||x - x*||
  double grad_norm = 0;         ///< ||grad f(x)||; with a prox, ||x - prox(x - lr grad f(x))|| / lr, lr 0 taken as 1/L
  std::vector<double> average;  ///< the mean of the points so far that log.average asks for; empty without
  std::optional<double> f_avg;  ///< f + R at it
  std::optional<double> f_avg_gap;  ///< less its minimum
  uint64_t bits_up = 0;             ///< that rank 0 handed to the transport, frames included
  double bits_down = 0;             ///< that a rank received, mean over the ranks: all that was sent, over their number
  uint64_t bits_payload = 0;        ///< of bits_up, without frames
  uint64_t bits_paper = 0;          ///< of rank 0's messages on the way up, each once, by log.bits_paper
  double passes = 0;                ///< rank 0's, over its own samples
  // Of Newton rounds:
  std::optional<uint64_t> bits_paper_down;  ///< of a server's messages to rank 0, by log.bits_paper
  std::optional<uint64_t> hessians;         ///< that rank 0 has computed
  std::optional<double> spread;             ///< of runs without one point for all: sqrt(mean_i ||x_i - their mean||^2)
  // Of asynchronous runs, where a step is an applied gradient:
  std::optional<double> clock;      ///< the simulated one
  std::optional<AsyncStats> stats;  ///< staleness so far
};

Record IntervalOf(const ConvexState& state, const Config& config);

/// With the table at the end of the run. `diverged`: the point stopped being finite.
Record FinalOf(const ConvexState& state, bool diverged, const Config& config);

}  // namespace gradwire::train
