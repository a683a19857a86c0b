// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "gradwire/compressor.h"

namespace gradwire {

/// Smoothness matrices of a problem, known to both ends before the first message: f_i(x) <= f_i(y) + <grad f_i(y), x -
/// y> + (x - y)^T Lm_i (x - y) / 2.
struct Smoothness {
  std::vector<std::vector<double>> matrices;  ///< Lm_i by worker: d x d, symmetric, positive semidefinite
  double strong_convexity = 0;                ///< mu of f
};

/// Whether an operator is one of smoothness matrices, smooth(...). Until it is given some its matrix is I, of one
/// worker.
bool NeedsSmoothness(const Compressor& compressor);

/// The operator of these matrices, of an operator that needs some. Throws ConfigError without a key where mu is 0 and
/// the operator's weights are made of it.
std::shared_ptr<const Compressor> WithSmoothness(const Compressor& compressor, const Smoothness& smoothness);

/// The largest Lt_i of the workers, which takes the place of omega Lmax in step sizes: of sparsifiers max_j (1/p_ij -
/// 1) (Lm_i)_jj, of quantisers the bound of theirs. Empty unless WithSmoothness made the operator.
std::optional<double> SmoothVariance(const Compressor& compressor);

}  // namespace gradwire
