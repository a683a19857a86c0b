// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "gradwire/exchange.h"
#include "train/report/network_records.h"
#include "train/report/tally.h"

namespace gradwire::train {

/// What records count since the run began. Bytes are this rank's.
struct Progress {
  int64_t logged_step = 0;  ///< of the last interval record
  uint64_t bytes_sent = 0, logged_bytes = 0;
  double wall_s = 0;
  Tally tally;  ///< of the interval so far
  uint64_t paper_bits = 0, logged_paper_bits = 0;
};

/// What the exchange, or the workers, have done since this process began; seconds.
struct Totals {
  ExchangeStats stats;
  double residual_norm = 0;
  double exposed_s = 0;             ///< waits for results after backward
  std::optional<double> compute_s;  ///< of workers, where they say it
  bool counts_paper = true;         ///< whether stats.paper_bits are counted; workers elsewhere do not say theirs
};

/// Makes the records of a run: what happened since the last one, in all and per step. Saves and evaluations are no part
/// of an interval's time.
class Meter {
 public:
  /// `step`: where the run begins. Time runs from now on.
  void Begin(int64_t step);
  /// The same for a run that goes on.
  void Resume(int64_t step, const Progress& progress, const Totals& now);
  /// From here on, steps are made: what came before is no part of the first interval's time.
  void BeginInterval();

  /// What a save keeps of the counts.
  Progress At(const Totals& now, const Tally& tally) const;

  struct Step {
    int64_t step = 0, total_steps = 0, per_epoch = 0;
    double lr = 0;
    int workers = 1;           ///< ranks, or a server's workers
    uint64_t dense_bytes = 0;  ///< of one step
  };
  /// `tally`: of the interval, over all ranks.
  NetworkInterval Interval(const Step& at, const Tally& tally, const Totals& now);
  NetworkEvaluation Evaluation(const Step& at, const Tally& tally) const;

  /// So many seconds of the interval were no part of any step.
  void Skip(double seconds) { interval_start_ += seconds; }

 private:
  double start_ = 0, interval_start_ = 0;
  int64_t begun_step_ = 0, logged_step_ = 0;
  std::optional<uint64_t> PaperBits(const Totals& now) const;

  uint64_t bytes_before_ = 0, logged_bytes_ = 0;  // before this process; at the last record
  uint64_t paper_bits_before_ = 0;
  std::optional<uint64_t> logged_paper_bits_;
  Totals before_;  // at the last record
};

}  // namespace gradwire::train
