// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "gradwire/parameter.h"

namespace gradwire {

/// Elements that a symmetric d x d matrix is stored as.
constexpr size_t PackedNumel(size_t d) { return d * (d + 1) / 2; }

/// A symmetric d x d matrix as a symmetric parameter's elements (Parameter::symmetric): its upper triangle row by row,
/// those off the diagonal times sqrt(2). So the Euclidean norm and product of what is stored are the Frobenius ones of
/// matrices, and whoever counts elements, norms or products sees an off-diagonal entry twice. `matrix`: d * d elements
/// row by row, of which the lower triangle is not read; `packed`: PackedNumel(d). They must not overlap.
template <typename T>
void PackSymmetric(size_t d, std::span<const T> matrix, std::span<T> packed);

/// The matrix again, both triangles with the same bits; off the diagonal after two roundings. Shapes as above.
template <typename T>
void UnpackSymmetric(size_t d, std::span<const T> packed, std::span<T> matrix);

/// Throws Error that names the parameter which is said to be symmetric and is no square matrix, or whose elements
/// would lie in another order than the triangle's.
void CheckSymmetric(const std::vector<Parameter>& parameters);

/// "[50, 40]", or "[20, 20], symmetric".
std::string ShapeText(const Parameter& parameter);

}  // namespace gradwire
