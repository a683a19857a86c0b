// SPDX-License-Identifier: Apache-2.0
#include "train/analyse/analyse_sde.h"

#include <algorithm>
#include <ostream>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "train/analyse/sde_report.h"
#include "train/report/text_table.h"

namespace gradwire::train {
namespace {

SdeRun RunOf(const AnalyseSdeOptions& options) {
  CheckProblem(options.problem);
  SdeRun run = options.run;
  run.settings.noise = ParseGradientNoise(options.noise);
  if (options.dimension > 1) {
    if (run.settings.curvature.size() > 1)
      throw ConfigError("dimension", fmt::format("found {}, expected it left out beside {} curvatures",
                                                 options.dimension, run.settings.curvature.size()));
    run.settings.curvature.assign(options.dimension, run.settings.curvature.at(0));
  }
  return run;
}

/// The papers' table, with this seed and these threads.
std::vector<SdeOutcome> RunChecks(const SdeRun& as) {
  std::vector<SdeOutcome> outcomes;
  for (SdeExperiment experiment : SdeExperiments()) {
    experiment.run.seed = as.seed, experiment.run.threads = as.threads;
    SdeResult result = RunSde(experiment.run);
    std::vector<SdeVerdict> verdicts;
    for (const SdeCheck& check : experiment.checks) verdicts.push_back(Judge(check, result));
    outcomes.push_back({std::move(experiment), std::move(result), std::move(verdicts)});
  }
  return outcomes;
}

bool Holds(const std::vector<SdeOutcome>& outcomes) {
  return std::ranges::all_of(outcomes,
                             [](const SdeOutcome& o) { return std::ranges::all_of(o.verdicts, &SdeVerdict::holds); });
}

}  // namespace

int AnalyseSde(const AnalyseSdeOptions& options, std::ostream& out) {
  for (const std::string& file : {options.plot, options.json})
    if (!file.empty()) WriteFile(file, "");  // so that a name which cannot be written costs no time
  std::vector<SdeOutcome> outcomes;
  if (options.run.method.empty()) {
    outcomes = RunChecks(options.run);
    out << ChecksText(outcomes);
  } else {
    const SdeRun run = RunOf(options);
    SdeResult result = RunSde(run);  // not within the braces: where it throws there, GCC 12 frees the settings twice
    outcomes.push_back({{run.method, run, {}}, std::move(result), {}});
    out << RunText(run, outcomes[0].result);
  }
  if (!options.plot.empty()) WriteFile(options.plot, ToSvg(PictureOf(outcomes)));
  if (!options.json.empty()) WriteFile(options.json, SdeJson(outcomes));
  return options.check && !Holds(outcomes) ? kCheckMissed : 0;
}

}  // namespace gradwire::train
