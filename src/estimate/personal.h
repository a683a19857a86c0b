// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "estimate/estimator.h"
#include "estimate/sampled.h"

namespace gradwire {

/// FFGG, "fine-tuning followed by global gradient" (Mishchenko et al. 2023, arXiv 2305.18285, algorithm 1): the inner
/// solver moves the worker's own y at x, and the estimate is grad_x f_i(x, y). y is the estimator's memory, which saves
/// have and no message: a round is one of x alone. `f` has a personal(). Throws ConfigError that begins with the key
/// where the inner step would not go down, or another estimator than full is asked for.
std::unique_ptr<Estimator> MakePersonal(const EstimatorConfig& config, const std::shared_ptr<const FiniteSum>& f,
                                        const Streams& streams);

}  // namespace gradwire
