// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/symmetric.h"
#include "gradwire/error.h"
#include "problem/dense.h"
#include "problem/problem.h"

namespace gradwire {
namespace {

std::vector<double> Plus(std::span<const double> x, double factor, std::span<const double> step) {
  std::vector<double> sum(x.begin(), x.end());
  for (size_t j = 0; j < sum.size(); ++j) sum[j] += factor * step[j];
  return sum;
}

/// The mean length of a sample's gradient: their sum is exact to a rounding error of that size.
double GradientScale(const Problem& problem, std::span<const double> x) {
  double scale = 0;
  std::vector<double> gradient(x.size());
  for (const auto& f : problem.workers) {
    double sum = 0;
    for (uint32_t l = 0; l < f->samples(); ++l) {
      const Draw draw{l, 1};
      std::ranges::fill(gradient, 0.0);
      f->AddGradient({&draw, 1}, x, gradient);
      sum += Norm(gradient);
    }
    scale += sum / static_cast<double>(f->samples() * problem.workers.size());
  }
  return scale;
}

std::vector<double> NewtonStep(const Problem& problem, std::span<const double> x, const std::vector<double>& gradient) {
  std::vector<double> packed(PackedNumel(x.size())), hessian(x.size() * x.size());
  for (const auto& f : problem.workers) f->AddPackedHessian(x, 1 / static_cast<double>(problem.workers.size()), packed);
  UnpackSymmetric<double>(x.size(), packed, hessian);
  return SolvePositive(std::move(hessian), gradient);
}

/// Halves the step until the gradient gets shorter; false where it does not. The gradient's norm is a fair judge, since
/// Newton's direction always shortens it at first, and it can be told apart down to rounding where values cannot.
bool Shorten(const Problem& problem, std::span<const double> step, std::vector<double>& x,
             std::vector<double>& gradient) {
  for (double factor = 1; factor > 1e-9; factor /= 2) {
    std::vector<double> trial = Plus(x, -factor, step), slope = problem.Gradient(trial);
    if (!(Norm(slope) < Norm(gradient))) continue;
    x = std::move(trial), gradient = std::move(slope);
    return true;
  }
  return false;
}

std::vector<double> Newton(const Problem& problem) {
  constexpr double kSmall = 1e-12;  // of a sample's gradient, since features may have any unit
  std::vector<double> x(problem.dimension()), gradient = problem.Gradient(x);
  for (int step = 0; step < 100 && Norm(gradient) > 0; ++step) {
    const std::vector<double> direction = NewtonStep(problem, x, gradient);
    if (direction.empty() || !Shorten(problem, direction, x, gradient)) break;  // as far as rounding lets it
  }
  const double expected = kSmall * GradientScale(problem, x);
  if (!(Norm(gradient) <= expected))
    throw Error(
        fmt::format("Newton's method ends at a gradient of norm {:.3g}, expected {:.3g}: the function may have no "
                    "minimiser; take a larger objective.lambda, or features of less different units",
                    Norm(gradient), expected));
  return x;
}

/// Nesterov, "Introductory lectures on convex optimization", 2004, scheme 2.2.9, with a prox.
std::vector<double> ProximalGradient(const Problem& problem, const Prox& prox) {
  const double lr = 1 / problem.smoothness;
  const double mu = problem.strong_convexity + (prox.kind == Prox::Kind::kL2 ? prox.lambda : 0);
  const double root = std::sqrt(mu * lr), momentum = (1 - root) / (1 + root);
  std::vector<double> x = problem.start, y = x;
  const double least = 1e-3 * lr * GradientScale(problem, x);  // a length in the units of x, where x* may be 0
  for (int step = 0; step < 200000; ++step) {
    std::vector<double> next = Plus(y, -lr, problem.Gradient(y));
    prox.Apply<double>(lr, next);
    const double moved = Norm(Plus(next, -1, y));
    y = Plus(next, momentum, Plus(next, -1, x));
    x = std::move(next);
    if (moved <= 1e-14 * std::max(least, Norm(x))) return x;
  }
  throw Error("the proximal gradient method does not reach the minimiser: take a larger objective.lambda");
}

}  // namespace

Minimiser Minimise(const Problem& problem, const Prox& prox) {
  Minimiser found;
  found.x = prox ? ProximalGradient(problem, prox) : Newton(problem);
  found.value = problem.Value(found.x) + prox.Value(found.x);
  return found;
}

}  // namespace gradwire
