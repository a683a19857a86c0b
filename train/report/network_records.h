// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "driver/async.h"
#include "train/config/config.h"
#include "train/report/record.h"

namespace gradwire::train {

/// A logging interval of a network's run. Bytes are this rank's (rank 0's); times are seconds a step, means over the
/// interval. Encode, wire and decode run on the exchange thread and overlap with compute.
struct NetworkInterval {
  int64_t step = 0;          ///< steps done
  int64_t total_steps = 0;   ///< of the whole run
  int64_t steps = 0;         ///< in the interval
  double epoch = 0;          ///< epochs done
  double wall_s = 0;         ///< since training began
  double loss = 0, acc = 0;  ///< means over all ranks' images of the interval
  double lr = 0;
  double imgs_per_s = 0;  ///< of all ranks together
  int world_size = 1;
  uint64_t bytes_sent = 0;                  ///< in the interval: payloads and frames handed to the transport
  uint64_t bytes_total = 0;                 ///< since training began
  std::optional<uint64_t> bits_paper = {};  ///< since training began: of this rank's messages, by log.bits_paper
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

struct NetworkEvaluation {
  int64_t step = 0;
  double epoch = 0;
  double test_loss = 0, test_acc = 0;
  uint64_t bytes_total = 0;
  double wall_s = 0;
  std::optional<uint64_t> bits_paper = {};
  std::optional<double> spread = {};  ///< of ranks with models of their own: sqrt(mean_i ||x_i - their average||^2)
};

/// Makes the records of a network's run, and adds up its intervals for the last one.
class NetworkRecords {
 public:
  /// `data`: the data set's name. `config` outlives this.
  NetworkRecords(const Config& config, std::string data) : config_(config), data_(std::move(data)) {}

  Record Interval(const NetworkInterval& interval);
  Record Evaluation(const NetworkEvaluation& evaluation) const;
  /// The last record, with the table of the whole run.
  Record Final(const NetworkEvaluation& evaluation) const;

 private:
  void Accumulate(const NetworkInterval& interval);

  const Config& config_;
  const std::string data_;
  NetworkInterval sum_;  // of all intervals; its times are of all steps
  double images_ = 0;
};

}  // namespace gradwire::train
