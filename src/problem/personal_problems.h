// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "problem/personal_sum.h"
#include "problem/problem.h"

namespace gradwire {

/// Personalised least squares f_i(x, y) = ||B_i x + D_i y - c_i||^2 / 2, d = 4, 3 own unknowns and 5 rows a worker,
/// c_i = B_i x' + D_i y'_i + e_i with B_i, D_i, x', y'_i standard normal, x^0 = 0; a worker's numbers are the same
/// whatever the number of workers.
///
/// Overpersonalised, in the paper's word (see PersonalSum): e_i = 0, so that x* = x' and every f_i is 0 there, whatever
/// the others hold.
Problem Overpersonalised(size_t workers);
/// e_i standard normal: workers disagree at x*.
Problem Personalised(size_t workers);

/// Of any such workers, with x^0 = 0, and its minimiser in closed form: the shortest one, and where it is not the only
/// one, along which it may move.
Problem PersonalProblem(const std::vector<std::shared_ptr<const PersonalSum>>& workers);

}  // namespace gradwire
