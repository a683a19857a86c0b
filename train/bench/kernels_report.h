// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "train/bench/goals.h"
#include "train/bench/machine.h"
#include "train/bench/operator_rounds.h"
#include "train/bench/position_rounds.h"

namespace gradwire::train {

/// What was measured, and on what.
struct KernelsReport {
  Cpu cpu;
  std::string isa;
  size_t numel = 0, rounds = 0, sets = 0, cache_bytes = 0, huge_page_bytes = 0;
  bool leave_the_cache = true;
  std::vector<OperatorTimes> operators;
  std::vector<PositionTimes> positions;

  struct Wrong {
    std::string subject, what;  ///< a kernel or an operator
  };
  std::vector<Wrong> wrong;

  struct Judged {
    int number;
    std::string subject, task, unit;  ///< unit: "x update", "ns"
    double limit;
    Interval measured;
    Verdict verdict;
  };
  std::vector<Judged> goals;
};

/// Those of what was measured, with the limits of its instruction set and CPU.
std::vector<KernelsReport::Judged> JudgeAll(const KernelsReport& report);
/// Exit codes: a kernel is wrong; with `goals`, a goal is missed.
constexpr int kWrongResult = 1, kGoalMissed = 3;
int ExitCode(const KernelsReport& report, bool goals);

/// "1.16 (1.12-1.19)".
std::string TextOf(const Interval& interval, int decimals = 2);

/// The lines in front of the table, and of one operator in it.
std::string Head(const KernelsReport& report);
std::string Rows(const OperatorTimes& times, size_t numel);
std::string Rows(const PositionTimes& times);
/// The goals that were measured, each with its verdict.
std::string GoalsText(const KernelsReport& report);

/// All of it; times in seconds, rates in bytes of float32 a second.
std::string ToJson(const KernelsReport& report);

}  // namespace gradwire::train
