// SPDX-License-Identifier: Apache-2.0
#include "train/analyse/analyse_averaging.h"

#include <algorithm>
#include <ostream>

#include "gradwire/error.h"
#include "train/analyse/analyse_sde.h"
#include "train/analyse/averaging_report.h"
#include "train/report/text_table.h"

namespace gradwire::train {

int AnalyseAveraging(const AnalyseAveragingOptions& options, std::ostream& out) {
  std::vector<AveragingOutcome> outcomes;
  for (const size_t peers : options.peers)
    for (const double failure : options.failures)
      for (const std::string& method : options.methods) {
        const AveragingRun run{.method = method,
                               .peers = peers,
                               .side = options.side,
                               .dims = options.dims,
                               .failure = failure,
                               .restarts = options.restarts,
                               .cap = options.cap,
                               .seed = options.seed,
                               .threads = options.threads};
        CheckAveraging(run);
        outcomes.push_back({run, {}});
      }
  if (options.check && std::ranges::none_of(outcomes, [](const auto& o) { return ReferenceOf(o.run).has_value(); }))
    throw ConfigError("check", "none of these cells is in the authors' table, which is of side 32, dims 2 and cap 50");
  if (!options.json.empty()) WriteFile(options.json, "");  // so that a name which cannot be written costs no time
  for (AveragingOutcome& outcome : outcomes) outcome.result = RunAveraging(outcome.run);
  out << AveragingText(outcomes);
  if (!options.json.empty()) WriteFile(options.json, AveragingJson(outcomes));
  const bool near = std::ranges::all_of(outcomes, [](const AveragingOutcome& outcome) { return IsNear(outcome); });
  return options.check && !near ? kCheckMissed : 0;
}

}  // namespace gradwire::train
