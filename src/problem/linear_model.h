// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "problem/problem.h"

namespace gradwire {

/// f_il(x) = l(<a_l, x>, y_l) + R(x) of the rows l in [first, last).
std::shared_ptr<const FiniteSum> MakeLinearModel(std::shared_ptr<const LabelledRows> rows, size_t first, size_t last,
                                                 const Loss& loss, double lambda, Regulariser regulariser);

}  // namespace gradwire
