// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <utility>
#include <vector>

namespace gradwire {

// Dense linear algebra of the small problems, in double, sums in a fixed order.

double Dot(std::span<const double> x, std::span<const double> y);
double Norm(std::span<const double> x);

/// The smallest and the largest eigenvalue of a symmetric d x d matrix, row-major: Householder's reduction to a
/// tridiagonal matrix, then bisection on the sign counts of Sturm's sequence (Golub and Van Loan, 8.3 and 8.4).
std::pair<double, double> ExtremeEigenvalues(std::vector<double> a, size_t d);

/// The solution of a x = b for a symmetric positive definite a by Cholesky's decomposition; empty where a is not.
std::vector<double> SolvePositive(std::vector<double> a, std::vector<double> b);

}  // namespace gradwire
