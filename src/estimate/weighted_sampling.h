// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "estimate/sampling.h"

namespace gradwire {

// Samplings whose samples need not be alike, by objective.probabilities. They throw ConfigError as MakeSampling does.

std::unique_ptr<Sampling> MakeImportance(const EstimatorConfig& config, const FiniteSum& f);
std::unique_ptr<Sampling> MakeIndependent(const EstimatorConfig& config, const FiniteSum& f);
std::unique_ptr<Sampling> MakePartition(const EstimatorConfig& config, const FiniteSum& f);

}  // namespace gradwire
