// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "problem/finite_sum.h"

namespace gradwire {

/// f_il(x) = x^T A x / 2 - (b + c_l)^T x, with sum_l c_l = 0. `a`: d x d, symmetric, row-major; `b`: d;
/// `noise`: m x d, the c_l.
std::shared_ptr<const FiniteSum> MakeQuadratic(std::vector<double> a, std::vector<double> b, std::vector<double> noise);

}  // namespace gradwire
