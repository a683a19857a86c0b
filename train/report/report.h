// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "train/config/config.h"
#include "train/report/record.h"

namespace gradwire::train {

/// A run's account of itself: hands records and lines to all of its sinks. One without sinks, as of all ranks but the
/// first, is heard by nobody.
class Report {
 public:
  void Add(std::unique_ptr<RecordSink> sink) { sinks_.push_back(std::move(sink)); }
  bool is_heard() const { return !sinks_.empty(); }

  void Write(const Record& record) {
    for (const auto& sink : sinks_) sink->Write(record);
  }
  void Log(const std::string& line) {
    for (const auto& sink : sinks_) sink->Log(line);
  }

 private:
  std::vector<std::unique_ptr<RecordSink>> sinks_;
};

/// The account of a rank. The first one makes output_dir with config.yaml, metrics.jsonl and log.txt, and talks to the
/// terminal. `goes_on_at`: the step of a save in that folder that the run goes on from; what was written up to there
/// stays. Throws Error where it cannot be written.
Report ReportOf(const Config& config, int rank, std::optional<int64_t> goes_on_at);

}  // namespace gradwire::train
