// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "gradwire/collective.h"

namespace gradwire {

/// n ranks as threads of one process: element r belongs to the thread of rank r. Messages are copied through shared
/// memory; all-reduce sums in rank order. Destroying one rank's collective while others still wait for it counts as
/// that rank's death: they throw PeerError at once.
std::vector<std::unique_ptr<Collective>> MakeThreadCollectives(int size, std::chrono::milliseconds timeout);

}  // namespace gradwire
