// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "train/bench/exchange.h"

namespace gradwire::train {

/// How this program is one of the ranks of `bench exchange` and `bench advise`: by gradwire::DistributedDataParallel
/// over c10d's Reducer. `argc`, `argv`: what makes the command again.
ExchangeDoor DdpDoor(int argc, const char* const* argv);

}  // namespace gradwire::train
