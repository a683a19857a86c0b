// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>

#include "train/analyse/analyse_averaging.h"
#include "train/analyse/analyse_scale.h"
#include "train/analyse/analyse_sde.h"

namespace CLI {
class App;
}

namespace gradwire::train {

/// The words behind `analyse`.
struct AnalyseOptions {
  enum class Command { kSde, kScale, kAveraging };
  Command command = Command::kSde;
  AnalyseSdeOptions sde;
  AnalyseScaleOptions scale;
  AnalyseAveragingOptions averaging;
};

/// Adds `sde`, `scale` and `averaging` to the command `analyse`, which reads them into `options` and requires one of
/// them.
void AddAnalyseCommands(CLI::App& analyse, AnalyseOptions& options);

/// Runs the command that was given. Returns the exit code. Throws ConfigError, which names the option.
int RunAnalyse(const AnalyseOptions& options, std::ostream& out);

}  // namespace gradwire::train
