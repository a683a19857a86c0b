// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "gradwire/estimator.h"
#include "gradwire/exchange.h"
#include "train/convex.h"

namespace gradwire::train {

/// What a configuration makes of a method on a convex problem.
struct ConvexParts {
  ExchangeParts exchange;
  EstimatorConfig estimator;
};

ConvexParts PartsOf(const Config& config, const ConvexSetup& setup);

/// Rounds in which a worker sees its samples once; of full gradients one is an epoch.
int64_t StepsPerEpoch(const EstimatorConfig& estimator, const Problem& problem);

/// optimizer.lr, by theory where it says so. Throws ConfigError with the key's place.
double StepSizeOf(const Config& config, const ConvexSetup& setup, const ConvexParts& parts);

/// An error that begins with its key gets the key's place in front.
template <typename Make>
auto WithPlace(const Config& config, Make make) {
  try {
    return make();
  } catch (const ConfigError& error) {
    const std::string_view message = error.what();
    throw ConfigError(fmt::format("{}: {}", config.PlaceOf(message.substr(0, message.find(':'))), message));
  }
}

}  // namespace gradwire::train
