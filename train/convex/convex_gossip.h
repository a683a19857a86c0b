// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "gossip/mixing.h"
#include "train/convex/convex_driver.h"

namespace gradwire::train {

/// Of gossip.{graph, weights}, as gossip.method asks for it. Throws ConfigError with the place of its key.
Mixing MixingOf(const ConvexContext& context);

/// A line about gossip.evaluate.
std::string EvaluatedText(const Config& config);

/// Workers that average in pairs, whenever one has finished: on a simulated clock, in the thread of one rank.
std::unique_ptr<ConvexDriver> MakeConvexPairs(const ConvexContext& context);

}  // namespace gradwire::train
