// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "gradwire/scratch.h"
#include "gradwire/site.h"

namespace gradwire {

/// `rank` vectors of equal length, one behind another, become orthonormal, in order: Gram-Schmidt twice, which is
/// enough (Giraud, Langou & Rozloznik 2005), in double and in one order of operations on any processor. One that is in
/// the span of those before it, up to T's rounding, becomes zero, or, with `site`, what is drawn there anew, alike on
/// all ranks. Elements are finite. T is float or double.
template <typename T>
void Orthonormalise(std::span<T> vectors, size_t rank, Lane& lane, const Site* site);

}  // namespace gradwire
