// SPDX-License-Identifier: Apache-2.0
#include "train/report/report.h"

#include <filesystem>

#include "train/report/sinks.h"

namespace gradwire::train {

Report ReportOf(const Config& config, int rank, std::optional<int64_t> goes_on_at) {
  Report report;
  if (rank != 0) return report;
  std::error_code failed;
  std::filesystem::create_directories(config.run.output_dir, failed);  // who writes to it says what is wrong
  const std::filesystem::path folder(config.run.output_dir);
  report.Add(MakeJsonlSink((folder / "metrics.jsonl").string(), goes_on_at));
  CreateFile((folder / "config.yaml").string()) << ToYaml(config);
  report.Add(MakeLogSink((folder / "log.txt").string(), goes_on_at));
  report.Add(MakeTerminalSink());
  return report;
}

}  // namespace gradwire::train
