// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "problem/personal_sum.h"

namespace gradwire {

/// How a worker comes to the unknowns y that are its own, at a point x of all.
struct InnerSolver {
  enum class Kind { kExact, kConjugate, kDescent } kind = Kind::kExact;
  uint64_t steps = 0;  ///< of the latter two
  double step = 0;     ///< of kDescent; 0: 1 / Lw of the worker
  bool warm = true;    ///< from the last y, at first 0; else from 0

  bool is_exact() const { return kind == Kind::kExact; }
};

/// An inner solver as `gradwire list` shows it.
struct InnerSolverInfo {
  InnerSolver::Kind kind;
  std::string_view name;  ///< what a text begins with
  std::string_view syntax, summary, source;
};
const std::vector<InnerSolverInfo>& InnerSolvers();

/// The solver of "exact", "cg:K" or "gd:K" with K from 1 to 1e6. Throws ConfigError ("found ..., expected ...").
InnerSolver ParseInner(std::string_view text);

/// Moves y towards the minimiser of f(x, .); returns the passes over the worker's samples that it took: one each step,
/// and one for the gradient at which conjugate gradients begin. y: own_dimension() elements.
uint64_t SolveInner(const InnerSolver& solver, const PersonalSum& f, std::span<const double> x, std::span<double> y);

}  // namespace gradwire
