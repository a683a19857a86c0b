// SPDX-License-Identifier: Apache-2.0
#include "newton/newton_server.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gradwire {
namespace {

bool AllFinite(std::span<const double> values) {
  return std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
}

double Product(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (size_t j = 0; j < a.size(); ++j) sum += a[j] * b[j];
  return sum;
}

}  // namespace

NewtonServer::NewtonServer(const Problem& problem, const NewtonParts& parts)
    : parts_(parts), curvature_(problem.dimension()), x_(problem.start), step_(problem.dimension()) {}

void NewtonServer::SetCurvature(std::span<const double> h, double l) {
  if (!AllFinite(h) || !std::isfinite(l)) return GiveUp();
  if (parts_.method->step == NewtonMethod::Step::kCubic)
    curvature_.Decompose(h, l);
  else if (parts_.shifted)
    curvature_.Shift(h, l);
  else
    curvature_.Project(h, parts_.mu);
}

void NewtonServer::Extrapolate(std::span<const double> z, std::span<const double> w, std::span<const double> gradient,
                               std::span<double> g) const {
  std::vector<double> moved(z.begin(), z.end());
  for (size_t j = 0; j < moved.size(); ++j) moved[j] -= w[j];
  curvature_.Multiply(moved, g);
  for (size_t j = 0; j < moved.size(); ++j) g[j] += gradient[j];
}

void NewtonServer::Step(std::span<const double> z, std::span<const double> g,
                        const std::function<double(std::span<const double>)>& value) {
  if (!AllFinite(x_) || !AllFinite(g)) return GiveUp();
  double share = 1;
  if (parts_.method->step == NewtonMethod::Step::kCubic) {
    curvature_.Cubic(g, parts_.cubic, step_);
  } else {
    curvature_.Solve(g, step_);
    for (double& v : step_) v = -v;
    if (parts_.method->step == NewtonMethod::Step::kLineSearch) share = SearchLine(z, g, value);
  }
  for (size_t j = 0; j < x_.size(); ++j) x_[j] = z[j] + share * step_[j];
}

/// The largest power of `shrink` with f(z + share step) <= f(z) + slope share <g, step> (Armijo). A fall that is below
/// the rounding of f cannot be seen, and the step is taken whole.
double NewtonServer::SearchLine(std::span<const double> z, std::span<const double> g,
                                const std::function<double(std::span<const double>)>& value) {
  constexpr double kRounding = 16 * std::numeric_limits<double>::epsilon();
  constexpr double kSmallest = 1e-18;  // a share that moves nothing
  const double here = value(z), tangent = Product(g, step_);
  if (-tangent <= kRounding * std::abs(here)) return 1;
  std::vector<double> trial(z.size());
  double share = 1;
  for (; share > kSmallest; share *= parts_.shrink) {
    for (size_t j = 0; j < trial.size(); ++j) trial[j] = z[j] + share * step_[j];
    if (value(trial) <= here + parts_.slope * share * tangent) break;
  }
  return share;
}

void NewtonServer::Form(std::span<const double> g) {
  if (!AllFinite(x_) || !AllFinite(g)) return GiveUp();
  curvature_.Solve(g, x_);
}

bool NewtonServer::is_finite() const { return AllFinite(x_); }

void NewtonServer::GiveUp() { std::ranges::fill(x_, std::numeric_limits<double>::quiet_NaN()); }

}  // namespace gradwire
