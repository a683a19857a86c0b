// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include "driver/async.h"
#include "train/config/config.h"

namespace gradwire::train {

/// One logging interval, as it stands in metrics.jsonl. Bytes are this rank's (rank 0's); times are seconds a step,
/// means over the interval. Encode, wire and decode run on the exchange thread and overlap with compute.
struct IntervalRecord {
  int64_t step = 0;          ///< steps done
  int64_t total_steps = 0;   ///< of the whole run
  int64_t steps = 0;         ///< in the interval
  double epoch = 0;          ///< epochs done
  double wall_s = 0;         ///< since training began
  double loss = 0, acc = 0;  ///< means over all ranks' images of the interval
  double lr = 0;
  double imgs_per_s = 0;  ///< of all ranks together
  int world_size = 1;
  uint64_t bytes_sent = 0;   ///< in the interval: payloads and frames handed to the transport
  uint64_t bytes_total = 0;  ///< since training began
  uint64_t dense_bytes = 0;  ///< what a dense ring all-reduce would have sent in the interval: 2(n-1)/n x 4d a step
  double t_step = 0;
  double t_compute = 0;  ///< t_step without the wait for results after backward
  double t_encode = 0, t_wire = 0, t_decode = 0;
  double residual_norm = 0;  ///< ||e|| of this rank's error feedback
  // Of asynchronous runs, where a step is an applied gradient. Bytes are those of gradients, from all workers; compute,
  // encode and wire (the wait for a job) are a job's at its worker; the residual is the workers' mean.
  std::optional<AsyncStats> stats = {};  ///< since training began

  double ratio() const { return dense_bytes ? static_cast<double>(bytes_sent) / static_cast<double>(dense_bytes) : 0; }
};

struct EvalRecord {
  int64_t step = 0;
  double epoch = 0;
  double test_loss = 0, test_acc = 0;
  uint64_t bytes_total = 0;
  double wall_s = 0;
};

/// Rank 0's account of a run: output_dir/metrics.jsonl, config.yaml and log.txt, and what the terminal shows: one line
/// that is rewritten where stdout is a terminal, a line an interval elsewhere.
class Report {
 public:
  /// Makes the folder. `goes_on_at`: the step of a save in it that the run goes on from; the records up to there stay.
  /// Throws Error where it cannot be written.
  explicit Report(const Config& config, std::optional<int64_t> goes_on_at = {});
  ~Report();

  /// What the run is trained on, for its records.
  void SetData(std::string name) { data_ = std::move(name); }
  void Say(const std::string& text);
  /// A line of metrics.jsonl.
  void Write(const std::string& json);
  /// A line of log.txt that the next one may overwrite on a terminal.
  void Progress(const std::string& line);
  void Interval(const IntervalRecord& record);
  void Eval(const EvalRecord& record);
  /// The last line of metrics.jsonl and the table at the end of the run.
  void Final(const EvalRecord& record);

  const std::string& directory() const { return directory_; }

 private:
  void EndLine();
  void Accumulate(const IntervalRecord& record);

  std::string directory_, method_, compressor_, data_;
  std::ofstream metrics_;
  bool terminal_;
  bool line_open_ = false;
  IntervalRecord sum_;  // of all intervals, for the final table
  double images_ = 0;
};

}  // namespace gradwire::train
