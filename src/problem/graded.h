// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "problem/problem.h"

namespace gradwire {

/// Least squares whose workers differ in scale and in solution, for any number n of them: f_i(x) = ||A_i x - b_i||^2 /
/// 2 in R^20 with A_i = (i + 1) / sqrt(n) I and b_i normal with deviation zeta / (i + 1), zeta = 10, i from 0; m = 1,
/// x^0 = 0 (Koloskova et al. 2020, arXiv 2003.10422; section 5 of MoTEF, Islamov, Gao & Stich 2025, arXiv 2405.20114).
/// The same numbers on every machine but for rounding.
Problem Graded(size_t workers);

}  // namespace gradwire
