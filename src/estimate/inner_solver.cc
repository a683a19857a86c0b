// SPDX-License-Identifier: Apache-2.0
#include "estimate/inner_solver.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

using Kind = InnerSolver::Kind;

double Square(const std::vector<double>& v) { return std::inner_product(v.begin(), v.end(), v.begin(), 0.0); }

void Add(double weight, const std::vector<double>& v, std::span<double> to) {
  for (size_t j = 0; j < v.size(); ++j) to[j] += weight * v[j];
}

/// Ends early where nothing is left to be done, in rounding too.
uint64_t Conjugate(const PersonalSum& f, uint64_t steps, std::span<const double> x, std::span<double> y) {
  std::vector<double> residual(y.size()), image(y.size());
  f.OwnGradient(x, y, residual);
  for (double& v : residual) v = -v;
  std::vector<double> direction = residual;
  double square = Square(residual);
  uint64_t done = 0;
  for (; done < steps && square > 0; ++done) {
    f.MultiplyOwn(direction, image);
    const double bend = std::inner_product(direction.begin(), direction.end(), image.begin(), 0.0);
    if (!(bend > 0)) break;
    const double along = square / bend;
    Add(along, direction, y);
    Add(-along, image, residual);
    const double next = Square(residual);
    for (size_t j = 0; j < y.size(); ++j) direction[j] = residual[j] + next / square * direction[j];
    square = next;
  }
  return done + 1;
}

uint64_t Descend(const PersonalSum& f, const InnerSolver& solver, std::span<const double> x, std::span<double> y) {
  const double bend = f.own_smoothness();
  const double step = solver.step > 0 ? solver.step : bend > 0 ? 1 / bend : 0;
  std::vector<double> gradient(y.size());
  for (uint64_t t = 0; t < solver.steps; ++t) {
    f.OwnGradient(x, y, gradient);
    Add(-step, gradient, y);
  }
  return solver.steps;
}

}  // namespace

const std::vector<InnerSolverInfo>& InnerSolvers() {
  static const std::vector<InnerSolverInfo> solvers = {
      {Kind::kExact, "exact", "exact", "the best, in closed form", "least squares"},
      {Kind::kConjugate, "cg", "cg:K", "K steps of conjugate gradients", "Hestenes & Stiefel 1952"},
      {Kind::kDescent, "gd", "gd:K", "K gradient steps of objective.inner_step",
       "FFGG: Mishchenko et al. 2023, arXiv 2305.18285, algorithm 1"},
  };
  return solvers;
}

InnerSolver ParseInner(std::string_view text) {
  constexpr uint64_t kMost = 1000000;
  const size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const auto found = std::ranges::find(InnerSolvers(), name, &InnerSolverInfo::name);
  InnerSolver solver;
  bool is_good = found != InnerSolvers().end();
  if (is_good) solver.kind = found->kind;
  if (solver.is_exact()) {
    is_good = is_good && colon == text.npos;
  } else {
    const std::string_view count = colon == text.npos ? std::string_view() : text.substr(colon + 1);
    const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), solver.steps);
    is_good = error == std::errc() && end == count.data() + count.size() && solver.steps >= 1 && solver.steps <= kMost;
  }
  if (!is_good)
    throw ConfigError(fmt::format("found {}, expected exact, cg:K or gd:K with K from 1 to {}", text, kMost));
  return solver;
}

uint64_t SolveInner(const InnerSolver& solver, const PersonalSum& f, std::span<const double> x, std::span<double> y) {
  if (!solver.warm) std::ranges::fill(y, 0.0);
  switch (solver.kind) {
    case Kind::kExact: f.SolveOwn(x, y); return 1;
    case Kind::kConjugate: return Conjugate(f, solver.steps, x, y);
    case Kind::kDescent: return Descend(f, solver, x, y);
  }
  throw Error("SolveInner: no such solver");
}

}  // namespace gradwire
