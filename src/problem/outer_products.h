// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "problem/libsvm.h"

namespace gradwire {

/// packed += sum over l of weights[l] a a^T, a the row first + l of `rows`; packed as symmetric parameters are
/// (base/symmetric.h), of order rows.columns. Sums go in the order of the rows, the upper triangle alone is made.
void AddOuterProducts(const LabelledRows& rows, size_t first, std::span<const double> weights,
                      std::span<double> packed);

}  // namespace gradwire
