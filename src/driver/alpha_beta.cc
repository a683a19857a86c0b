// SPDX-License-Identifier: Apache-2.0
#include "driver/alpha_beta.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gradwire {

const double AlphaBetaMeter::kNone = std::numeric_limits<double>::infinity();

template <typename T>
ComponentView View(std::span<const T> x, std::span<const T> x_last, std::span<const T> gradient, double value,
                   double value_last) {
  ComponentView view{.value = value, .gap = value - value_last};
  double square = 0, step = 0;
  for (size_t j = 0; j < x.size(); ++j) {
    const double g = gradient[j], d = static_cast<double>(x[j]) - static_cast<double>(x_last[j]);
    view.inner += g * d, square += g * g, step += d * d;
  }
  view.gradient_norm = std::sqrt(square), view.distance = std::sqrt(step);
  return view;
}

const std::vector<double>& AlphaBetaMeter::Alphas() {
  static const std::vector<double> alphas = {0.5, 1, 1.5, 2, 2.5, 3, 4, 6, 8, 12, 16, 24, 32};
  return alphas;
}

void AlphaBetaMeter::Add(const ComponentView& view) {
  ++views_;
  for (size_t a = 0; a < betas_.size(); ++a) {
    const double lacks = Alphas()[a] * view.gap - view.inner;
    if (!std::isfinite(lacks))
      betas_[a] = kNone;
    else if (lacks > 0)
      betas_[a] = std::max(betas_[a], view.value > 0 ? lacks / view.value : kNone);
  }
  const double lengths = view.gradient_norm * view.distance;
  if (lengths > 0) least_cosine_ = std::min(least_cosine_, view.inner / lengths);
  if (view.gap > 0) least_pl_ = std::min(least_pl_, view.gradient_norm * view.gradient_norm / view.gap);
}

void AlphaBetaMeter::Add(const AlphaBetaMeter& other) {
  views_ += other.views_;
  for (size_t a = 0; a < betas_.size(); ++a) betas_[a] = std::max(betas_[a], other.betas_[a]);
  least_cosine_ = std::min(least_cosine_, other.least_cosine_);
  least_pl_ = std::min(least_pl_, other.least_pl_);
}

bool AlphaBetaMeter::Holds() const {
  for (size_t a = 0; a < betas_.size(); ++a)
    if (betas_[a] < Alphas()[a]) return true;
  return false;
}

std::vector<double> AlphaBetaMeter::Numbers() const {
  std::vector<double> numbers = {static_cast<double>(views_), least_cosine_, least_pl_};
  numbers.insert(numbers.end(), betas_.begin(), betas_.end());
  return numbers;
}

AlphaBetaMeter AlphaBetaMeter::Of(std::span<const double> numbers) {
  AlphaBetaMeter meter;
  meter.views_ = static_cast<uint64_t>(numbers[0]);
  meter.least_cosine_ = numbers[1], meter.least_pl_ = numbers[2];
  meter.betas_.assign(numbers.begin() + 3, numbers.end());
  return meter;
}

#define GRADWIRE_INSTANTIATE(T) \
  template ComponentView View(std::span<const T>, std::span<const T>, std::span<const T>, double, double);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
