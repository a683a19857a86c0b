// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "train/bench/exchange.h"

namespace gradwire::train {

/// Starts `ranks` processes of the door's command on this machine, over loopback, or, with a rate ("1gbit"), each on a
/// host in a network namespace of its own. Returns the exit code, 128 + the signal after one. Throws Error where hosts
/// cannot be made, before anything is started.
int StartRanks(int ranks, const std::string& rate, double timeout_s, const ExchangeDoor& door);

}  // namespace gradwire::train
