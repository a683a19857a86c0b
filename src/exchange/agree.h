// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "gradwire/collective.h"

namespace gradwire {

/// Compares `settings`, lines of text, with rank 0's on every rank, and returns the job's token: a hash of them and of
/// a number that rank 0 draws, so that messages of another job are recognised. Throws ConfigError on every rank,
/// naming a rank that differs and the lines that do.
uint64_t Agree(Collective& collective, const std::string& settings);

}  // namespace gradwire
