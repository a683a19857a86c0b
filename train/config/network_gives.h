// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gradwire/abilities.h"

namespace gradwire::train {

/// What the training of a network gives a method beside one gradient of each mini-batch.
inline constexpr Abilities kNetworkGives{.same_batch = true};

}  // namespace gradwire::train
