// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gradwire/method.h"

namespace gradwire {

// What MakeParts does to the parts of an exchange, in files of their own. They throw ConfigError, which begins with the
// key.

/// comm.alpha, beta, ema, eta, opening, p and zeta. After the links are set.
void SetCoefficients(const Method& method, const CommConfig& config, ExchangeParts& parts);
/// comm.noise. After the coefficients. Refuses what would leave numbers without it: noise is on all that a worker
/// sends, or the promise of privacy is void.
void SetNoise(const Method& method, const CommConfig& config, ExchangeParts& parts);
/// comm.aggregate. After the participation. Refuses what would not have each worker's vector by itself.
void SetAggregate(const Method& method, const CommConfig& config, ExchangeParts& parts);
/// comm.threads. Whatever the parts.
void SetThreads(const CommConfig& config, ExchangeParts& parts);
/// comm.topology, or what suits the parts. After everything else.
std::string_view TopologyOf(const CommConfig& config, const ExchangeParts& parts);
/// Parts that fit each other and still not their topology.
void CheckOwners(const ExchangeParts& parts);

}  // namespace gradwire
