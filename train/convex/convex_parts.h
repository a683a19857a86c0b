// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "estimate/estimator.h"
#include "gradwire/error.h"
#include "gradwire/exchange.h"
#include "train/config/placed.h"
#include "train/convex/convex_setup.h"

namespace gradwire::train {

/// The name of a convex run's state in a save.
inline constexpr const char* kConvexState = "convex run";

/// What a configuration makes of a method on a convex problem.
struct ConvexParts {
  ExchangeParts exchange;
  EstimatorConfig estimator;
};

ConvexParts PartsOf(const Config& config, const ConvexSetup& setup);

/// Rounds in which a worker sees its samples once; of full gradients one is an epoch.
int64_t StepsPerEpoch(const EstimatorConfig& estimator, const Problem& problem);

/// optimizer.lr, by theory where it says so; 1 where steps have no size. Throws ConfigError with the key's place.
double StepSizeOf(const Config& config, const ConvexSetup& setup, const ConvexParts& parts);

}  // namespace gradwire::train
