// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

namespace gradwire {

// Best approximations of low rank, by the symmetric eigenvalue problem of the smaller side (Eigen; one thread).
// Elements are finite, row by row. Vectors have their largest element, the first of equal ones, above zero. Equal input
// gives equal bits on one machine; on another one last digits may differ. Memory is allocated.

/// L^T P is the matrix of rank `rank` that is nearest to `matrix` (rows x cols) in the Frobenius norm: its `rank`
/// largest singular values times their vectors (Eckart & Young 1936). left: rank x rows, right: rank x cols; the
/// shorter of the two has orthonormal rows, the other one the singular values in it. 1 <= rank <= min(rows, cols).
/// Takes min^2 max + 9 min^3 multiplications and additions, and relative to the largest singular value those below 1e-8
/// are found roughly.
void BestFactors(size_t rows, size_t cols, size_t rank, std::span<const double> matrix, std::span<double> left,
                 std::span<double> right);

/// The `rank` eigenvalues of largest magnitude of a symmetric d x d matrix, of equal ones the positive first, and their
/// vectors: rank x d. 1 <= rank <= d.
void LargestEigenpairs(size_t d, size_t rank, std::span<const double> matrix, std::span<double> values,
                       std::span<double> vectors);

}  // namespace gradwire
