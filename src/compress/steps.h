// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gradwire/compressor.h"

namespace gradwire {

/// How a worker's piece is quantised: blocks of consecutive elements that share a norm, and the step h_j of each
/// element as a share of that norm; 0 where the element is always 0.
struct QuantiserSteps {
  std::vector<size_t> ends;  ///< of the blocks, ascending; the last one is the number of elements
  std::vector<double> h;
};

/// Each element u_j of a block with norm r becomes sign(u_j) r h_j l, l being one of the two whole numbers beside
/// |u_j| / (r h_j), at random so that the mean is u_j. `steps`: by worker, of the one piece there is. Without them one
/// block, and h_j = 1/levels; `levels` empty: sqrt(d), as QSGD's.
std::shared_ptr<const Compressor> MakeStepsOf(std::string spec, std::optional<double> levels,
                                              std::vector<QuantiserSteps> steps = {});

/// A number of levels that need not be whole; empty where it is none, above 0 and up to 32767.
std::optional<double> ReadLevelsOfSteps(std::string_view text);

}  // namespace gradwire
