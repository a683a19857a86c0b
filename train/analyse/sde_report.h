// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "analysis/sde_checks.h"
#include "train/report/picture.h"

namespace gradwire::train {

/// An experiment, its paths, and what its checks found.
struct SdeOutcome {
  SdeExperiment experiment;
  SdeResult result;
  std::vector<SdeVerdict> verdicts;
};

/// The table of checks: the papers' numbers, ours with standard errors, whether they hold.
std::string ChecksText(const std::vector<SdeOutcome>& outcomes);

/// A run without checks: what it is, and at its end each quantity by closed form, of the method and of the SDE.
std::string RunText(const SdeRun& run, const SdeResult& result);

/// E f over time: a line for each SDE, points for its method, and dashed the closed form of a single run.
Picture PictureOf(const std::vector<SdeOutcome>& outcomes);

/// All settings, checks and recorded numbers.
std::string SdeJson(const std::vector<SdeOutcome>& outcomes);

/// "6.35e-03 +- 5.7e-05".
std::string TextOf(const Estimate& estimate);

}  // namespace gradwire::train
