// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "train/report/record.h"

namespace gradwire::train {

/// Throws Error that says what to check where the file cannot be written.
std::ofstream CreateFile(const std::string& path, std::ios::openmode mode = std::ios::out);

// Each throws Error where its file cannot be written. `goes_on_at`: the step of a save that the run goes on from.

/// metrics.jsonl: a line a record, written when it comes. Records of before a save stay.
std::unique_ptr<RecordSink> MakeJsonlSink(const std::string& file, std::optional<int64_t> goes_on_at);

/// log.txt: all lines, each with its time. What a run said before a save stays.
std::unique_ptr<RecordSink> MakeLogSink(const std::string& file, std::optional<int64_t> goes_on_at);

/// stdout: all lines. Where it is a terminal the next line overwrites that of an interval.
std::unique_ptr<RecordSink> MakeTerminalSink();

}  // namespace gradwire::train
