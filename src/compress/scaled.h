// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "gradwire/compressor.h"
#include "gradwire/piece.h"

namespace gradwire {

/// The factor lambda > 0 that makes an operator contractive, and the delta that it then has:
///     E||lambda C(x) - x||^2 <= (1 - delta) ||x||^2.
/// Classes of Beznosikov et al. 2023, arXiv 2002.12410: 1/b and a/b^2 in B1, a ||x||^2 <= E||C(x)||^2 <= b <E C(x), x>;
/// 1/b and g/b in B2, max(g ||x||^2, E||C(x)||^2 / b) <= <E C(x), x>, in which c times an unbiased operator has g = c
/// and b = c (1 + omega).
struct Scaling {
  double lambda, delta;
};

/// An operator that knows more of its lambda than the constants of a Compressor say.
class Scalable {
 public:
  virtual ~Scalable() = default;
  /// Empty where none is known.
  virtual std::optional<Scaling> scaling(const Piece& piece) const = 0;
  /// 1 / (1 + omega) where the operator is Q(x) / (1 + omega) of an unbiased Q; else empty.
  virtual std::optional<double> damping(const Piece&) const { return std::nullopt; }
};

/// Of any operator: 1/(1 + omega) of an unbiased one, 1 of a contractive one, and what a Scalable says. Empty where
/// none is known.
std::optional<Scaling> ScalingOf(const Compressor& compressor, const Piece& piece);

}  // namespace gradwire
