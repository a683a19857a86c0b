// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "compress/smooth.h"
#include "gradwire/exchange_parts.h"
#include "problem/problem.h"

namespace gradwire {

/// Lm_i of each worker, by FiniteSum::AddCurvature.
Smoothness SmoothnessOf(const Problem& problem);

/// Operators smooth(...) of the workers' way become those of the problem's matrices. Throws ConfigError
/// ("comm.compressor: ...") where the problem lacks what they are made of.
void TakeSmoothness(const Problem& problem, ExchangeParts& parts);

}  // namespace gradwire
