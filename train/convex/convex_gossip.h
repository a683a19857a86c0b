// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "train/convex/convex_driver.h"

namespace gradwire::train {

/// Workers that average in pairs, whenever one has finished: on a simulated clock, in the thread of one rank.
std::unique_ptr<ConvexDriver> MakeConvexPairs(const ConvexContext& context);

}  // namespace gradwire::train
