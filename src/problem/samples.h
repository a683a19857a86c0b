// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "problem/libsvm.h"

namespace gradwire {

// Samples made of others.

using Samples = std::shared_ptr<const LabelledRows>;

/// With one more column, the last one, of ones.
Samples WithIntercept(const LabelledRows& rows);

/// The first `count` rows; count <= rows.rows().
Samples FirstOf(const LabelledRows& rows, size_t count);

/// Each block of `block` consecutive rows (the last one perhaps shorter) as its nearest matrix of rank `rank` or less
/// in Frobenius' norm, by its singular values (Eckart & Young 1936). Every row then has all columns.
Samples OfRank(const LabelledRows& rows, size_t block, size_t rank);

/// An orthonormal basis of the span of the rows in [first, last), its vectors one behind another: the principal axes of
/// the rows, the longest first, up to their signs. Directions in which
/// no row is longer than about 1e-12 of the longest are left out.
std::vector<double> RowSpan(const LabelledRows& rows, size_t first, size_t last);

}  // namespace gradwire
