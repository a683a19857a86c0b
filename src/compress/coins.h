// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compress/spec.h"
#include "gradwire/compressor.h"

namespace gradwire {

/// Independent Bernoulli sparsification: each element x_j is kept by a coin of its own, with probability p_j, as x_j /
/// p_j. `chances` has p_j by worker, all elements of the one piece there is; 0 where x_j is always 0. Without them p_j
/// = k/d, of `amount`.
std::shared_ptr<const Compressor> MakeCoinsOf(std::string spec, Amount amount,
                                              std::vector<std::vector<double>> chances = {});

}  // namespace gradwire
