// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "method/cost_model.h"
#include "train/bench/advise.h"

namespace gradwire::train {

/// What was measured of an operator, and what the model makes of it.
struct AdvisedRow {
  std::string name;
  CostQuestion question;
  CostAnswer answer;
};

/// What `bench advise` says: where and how it was measured, a line for each operator (bytes that a rank sends, what a
/// step is longer for its exchange, dense's / that) and a sentence: the fastest that pays, or that none does. `link`:
/// in words. Throws Error without rows.
std::string AdviceText(const std::vector<AdvisedRow>& rows, const AdviseOptions& options, const std::string& link);

/// The same numbers; seconds and bytes.
std::string AdviceJson(const std::vector<AdvisedRow>& rows, const AdviseOptions& options, const std::string& link);

}  // namespace gradwire::train
