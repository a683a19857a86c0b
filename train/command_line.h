// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "train/config.h"

namespace gradwire::train {

enum class Command { kTrain, kList, kKeys };

struct CommandLine {
  Command command = Command::kTrain;
  std::string config_file;
  std::vector<Override> overrides;  ///< --nproc N is one of run.nproc
  bool print_config = false;
  /// Set where there is nothing left to do but to exit with it: after --help, --version (0) and usage errors (2), whose
  /// text has been printed.
  std::optional<int> exit_code;
};

/// Throws ConfigError for a word that is not section.key=value.
CommandLine Parse(int argc, const char* const* argv);

}  // namespace gradwire::train
