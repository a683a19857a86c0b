// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "train/analyse/analyse_command.h"
#include "train/bench/command.h"
#include "train/config/config.h"
#include "train/report/run_table.h"

namespace gradwire::train {

enum class Command { kTrain, kSweep, kCompare, kList, kKeys, kBench, kAnalyse };

struct CommandLine {
  Command command = Command::kTrain;
  std::string config_file;
  std::vector<Override> overrides;  ///< --nproc N is one of run.nproc
  bool print_config = false;
  std::string join;                ///< train: HOST:PORT of a run that gets one more worker
  std::vector<std::string> words;  ///< sweep: "section.key=a,b,c" each; compare: the runs; list: at most one section
  CompareOptions compare;          ///< of compare, and of the table at a sweep's end
  BenchOptions bench;
  AnalyseOptions analyse;
  /// Set where there is nothing left to do but to exit with it: after --help, --version (0) and usage errors (2), whose
  /// text has been printed.
  std::optional<int> exit_code;
};

/// Throws ConfigError for a word that is not section.key=value.
CommandLine Parse(int argc, const char* const* argv);

}  // namespace gradwire::train
