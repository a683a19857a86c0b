// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "problem/personal_sum.h"

namespace gradwire {

/// f_i(x, y) = ||B x + D y - c||^2 / 2. `b`: rows x d, `own`: D, rows x own dimension, both row-major; `c`: rows. What
/// is left of it at the best y is ||P (B x - c)||^2 / 2 with P = I - D D^+. Throws Error where sizes do not fit.
std::shared_ptr<const PersonalSum> MakePersonalSquares(const std::vector<double>& b, const std::vector<double>& own,
                                                       const std::vector<double>& c);

}  // namespace gradwire
