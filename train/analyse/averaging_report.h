// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "averaging/averaging_run.h"

namespace gradwire::train {

/// Mean rounds of 10 restarts that the authors of Moshpit print (github.com/yandex-research/moshpit-sgd,
/// averaging_experiments/plot_results.ipynb; a 32 x 32 grid, at most 50 rounds).
struct AveragingReference {
  double fine, coarse;  ///< to a variance of 1e-9, 1e-4
};
constexpr double kReferenceRestarts = 10;

/// None where the authors have no such run.
std::optional<AveragingReference> ReferenceOf(const AveragingRun& run);

struct AveragingOutcome {
  AveragingRun run;
  AveragingResult result;
};

/// Within 10 %, or within 3 standard errors of the difference, of which the authors' are taken as ours of 10 restarts.
bool IsNear(const AveragingEstimate& found, double reference, size_t restarts);
/// Both numbers, where there are any to compare with.
bool IsNear(const AveragingOutcome& outcome);

std::string AveragingText(const std::vector<AveragingOutcome>& outcomes);
std::string AveragingJson(const std::vector<AveragingOutcome>& outcomes);

}  // namespace gradwire::train
