// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "problem/problem.h"

namespace gradwire {

/// The logistic losses of rows [first, last), each with the regulariser.
std::shared_ptr<const FiniteSum> MakeLogistic(std::shared_ptr<const LabelledRows> rows, size_t first, size_t last,
                                              double lambda, Regulariser regulariser);

}  // namespace gradwire
