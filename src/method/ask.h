// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "gradwire/collective.h"
#include "gradwire/comm_config.h"
#include "gradwire/parameter.h"
#include "gradwire/pays.h"
#include "method/measure_costs.h"

namespace gradwire {

/// Whose gradients `comm.when` is about.
struct PaysJob {
  std::vector<Parameter> parameters;
  size_t bytes_an_element = sizeof(float);  ///< of dense gradients
  DenseSum sum = {};                        ///< what dense gradients would be summed by; empty: the collective
};

inline constexpr double kAskSeconds = 3;  ///< that the question may take

/// Measures link and operators, for about `seconds` at most, and says what comes of it where `config` says pays; where
/// it names what it wants, `compresses` stays true, and the reason is given only where dense is faster. Rank 0's
/// answer, from the slowest rank's numbers, is that of all ranks, which call it alike. Of one rank, and of settings
/// that compress nothing, nothing is measured. Throws PeerError, and ConfigError for settings that are wrong or differ
/// between ranks, also where another rank does not ask and makes its Exchange.
WhenAnswer AskWhen(Collective& collective, const CommConfig& config, const PaysJob& job, double seconds = kAskSeconds);

/// The same from numbers, the slowest rank's.
WhenAnswer AnswerBy(const CommConfig& config, const PaysJob& job, int ranks, const LinkCosts& link,
                    const OperatorCosts& operators);

/// What the answer makes of the settings: as they say, or dense.
inline CommConfig After(const CommConfig& config, const WhenAnswer& answer) {
  return answer.compresses ? Settled(config) : DenseOf(config);
}

}  // namespace gradwire
