// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "estimate/estimator.h"

namespace gradwire {

/// g - h with a constant h of d elements.
std::unique_ptr<Estimator> MakeShift(std::unique_ptr<Estimator> inner, std::vector<double> h);

}  // namespace gradwire
