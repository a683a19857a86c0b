// SPDX-License-Identifier: Apache-2.0
#include "compress/smooth_rules.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace gradwire {
namespace {

/// sum_j w_j / (w_j + rho), without those of w_j = 0.
double SumOfChances(std::span<const double> weights, double rho) {
  double sum = 0;
  for (const double w : weights) sum += w > 0 ? w / (w + rho) : 0;
  return sum;
}

/// The rho at which they add up to tau; 0 where no rho makes them so many.
double SolveRho(std::span<const double> weights, double tau) {
  if (SumOfChances(weights, 0) <= tau) return 0;
  double low = 0, high = std::accumulate(weights.begin(), weights.end(), 0.0) / tau;  // w/(w + rho) < w/rho
  for (;;) {
    const double middle = low + (high - low) / 2;
    if (!(middle > low && middle < high)) return middle;
    (SumOfChances(weights, middle) > tau ? low : high) = middle;
  }
}

double Norm(std::span<const double> x) { return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0)); }

/// Ends of `blocks` blocks of d elements, the first ones longer by one.
std::vector<size_t> Ends(size_t d, size_t blocks) {
  std::vector<size_t> ends;
  for (size_t b = 0, end = 0; b < blocks; ++b) ends.push_back(end += d / blocks + (b < d % blocks ? 1 : 0));
  return ends;
}

}  // namespace

std::vector<double> ChancesOf(const SmoothWorker& worker, Weighing weighing, double tau) {
  std::vector<double> weights(worker.diagonal.size(), 1.0);
  for (size_t j = 0; j < weights.size() && weighing != Weighing::kUniform; ++j)
    weights[j] = weighing == Weighing::kPlain ? worker.diagonal[j] : 1 + worker.diagonal[j] / (worker.n * worker.mu);
  if (weighing == Weighing::kUniform)
    return std::vector<double>(weights.size(), std::min(1.0, tau / static_cast<double>(weights.size())));
  const double rho = SolveRho(weights, tau);
  for (double& w : weights) w = w > 0 ? w / (w + rho) : 0;
  return weights;
}

QuantiserSteps StepsOf(const SmoothWorker& worker, Weighing weighing, double levels) {
  const size_t d = worker.diagonal.size();
  if (weighing == Weighing::kUniform) return {{d}, std::vector<double>(d, 1 / levels)};
  std::vector<double> a(d);
  for (size_t j = 0; j < d; ++j)
    a[j] = weighing == Weighing::kPlain ? worker.diagonal[j]
                                        : std::hypot(1.0, worker.diagonal[j] / (worker.n * worker.mu));
  const double sum = std::accumulate(a.begin(), a.end(), 0.0), beta = levels * std::sqrt(static_cast<double>(d));
  for (double& h : a) h = h > 0 ? std::sqrt(sum / h) / beta : 0;
  return {{d}, std::move(a)};
}

/// With B blocks of d_l elements and beta - B = levels sqrt(d): h_l = D / A_l. kPlain: A_l = ||L_l||, T1 =
/// ||L||/sqrt(d), TB = sum_l sqrt(d_l) A_l / d, D = d TB/(beta - B) + T1 sqrt(d/(beta - B)). kShifted: A_l = sqrt(d_l)
/// + ||L_l||/(n mu), T1 = 1 + ||L||/(n mu sqrt(d)), D = d TB/(2 (beta - B)) + sqrt(d^2 TB^2/(4 (beta - B)^2) + d
/// T1^2/(beta - B)).
QuantiserSteps BlockStepsOf(const SmoothWorker& worker, Weighing weighing, double levels) {
  const std::span<const double> diagonal = worker.diagonal;
  const double d = static_cast<double>(diagonal.size()), room = levels * std::sqrt(d),
               scale = 1 / (worker.n * worker.mu);
  const bool plain = weighing == Weighing::kPlain;
  QuantiserSteps steps{Ends(diagonal.size(), std::min(diagonal.size(), static_cast<size_t>(worker.n))), {}};
  std::vector<double> weights;
  double tb = 0;
  for (size_t b = 0, begin = 0; b < steps.ends.size(); begin = steps.ends[b++]) {
    const double root = std::sqrt(static_cast<double>(steps.ends[b] - begin)),
                 norm = Norm(diagonal.subspan(begin, steps.ends[b] - begin));
    weights.push_back(plain ? norm : root + norm * scale);
    tb += root * weights.back() / d;
  }
  const double t1 = plain ? Norm(diagonal) / std::sqrt(d) : 1 + Norm(diagonal) * scale / std::sqrt(d),
               half = d * tb / (2 * room),
               dividend =
                   plain ? 2 * half + t1 * std::sqrt(d / room) : half + std::sqrt(half * half + d * t1 * t1 / room);
  for (size_t j = 0, b = 0; j < diagonal.size(); ++j) {
    if (j == steps.ends[b]) ++b;
    steps.h.push_back(weights[b] > 0 ? dividend / weights[b] : 0);
  }
  return steps;
}

double VarianceOf(std::span<const double> diagonal, std::span<const double> chances) {
  double most = 0;
  for (size_t j = 0; j < diagonal.size(); ++j)
    if (diagonal[j] > 0) most = std::max(most, (1 / chances[j] - 1) * diagonal[j]);
  return most;
}

double VarianceOf(std::span<const double> diagonal, const QuantiserSteps& steps) {
  double most = 0;
  for (size_t b = 0, j = 0; b < steps.ends.size(); ++b) {
    double square = 0;
    for (; j < steps.ends[b]; ++j) square += std::pow(diagonal[j] * steps.h[j], 2);
    most = std::max(most, std::sqrt(square));
  }
  return most;
}

}  // namespace gradwire
