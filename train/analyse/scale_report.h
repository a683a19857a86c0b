// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "analysis/scale_sweep.h"
#include "analysis/scaling.h"
#include "train/report/picture.h"

namespace gradwire::train {

/// What can be scaled.
struct ScalePoint {
  double eta = 0, workers = 1, batch = 1, beta1 = 0, beta2 = 0, decay = 0;
};

/// A rule's ways to keep its reference after a change, with the numbers that settings have and get. `settings`: those
/// that the method has. A way that would take a change back is left out, unless there is no other.
std::string RuleText(const ScalingRule& rule, const ScaleChange& change, const ScalePoint& point,
                     const std::vector<std::string_view>& settings, const std::vector<std::string_view>& changed);

/// The table of levels.
std::string LevelsText(const std::vector<ScaleOutcome>& outcomes);

/// The level of DCSGD over omega, by what is scaled for it: lines by the formula, points simulated.
Picture PictureOf(const std::vector<ScaleOutcome>& outcomes);

std::string LevelsJson(const std::vector<ScaleOutcome>& outcomes);

}  // namespace gradwire::train
