// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace gradwire {

/// A component f_i of the objective (a worker's batch of a step) at a point x^k of a run, seen from the run's last
/// point x^K, where it is known beforehand.
struct ComponentView {
  double inner = 0;          ///< <grad f_i(x^k), x^k - x^K>
  double value = 0;          ///< f_i(x^k), of losses that can reach 0: f_i - inf f_i
  double gap = 0;            ///< f_i(x^k) - f_i(x^K)
  double gradient_norm = 0;  ///< ||grad f_i(x^k)||
  double distance = 0;       ///< ||x^k - x^K||
};

/// The view from the gradient at x, of as many elements as x and x_last, and the values of f_i there.
template <typename T>
ComponentView View(std::span<const T> x, std::span<const T> x_last, std::span<const T> gradient, double value,
                   double value_last);

/// The alpha-beta condition along a run (Islamov, Ajroldi, Orvieto, Lucchi, "Loss landscape characterization of neural
/// networks without over-parametrization", NeurIPS 2024, definition 1):
///
///     <grad f_i(x), x - x^K> >= alpha (f_i(x) - f_i(x^K)) - beta (f_i(x) - inf f_i),   alpha > beta > 0.
///
/// For each alpha of a list, the least beta for which it holds at all views: (alpha gap - inner) / value at most. If it
/// holds for (alpha, beta) it does for (alpha + t, beta + t), since f_i(x^K) >= inf f_i.
class AlphaBetaMeter {
 public:
  static const std::vector<double>& Alphas();

  void Add(const ComponentView& view);
  void Add(const AlphaBetaMeter& other);

  uint64_t views() const { return views_; }
  /// By alpha: the least beta, 0 where any will do.
  const std::vector<double>& betas() const { return betas_; }
  /// Whether the condition holds: a beta below its alpha does.
  bool Holds() const;
  /// The smallest cosine of the angle between grad f_i(x) and x - x^K; below 0 the gradient has pointed away from x^K.
  double least_cosine() const { return least_cosine_; }
  /// The smallest ||grad f_i(x)||^2 / (f_i(x) - f_i(x^K)): 2 mu of the Polyak-Lojasiewicz condition; infinite where no
  /// view was above x^K.
  double least_pl() const { return least_pl_; }

  /// All of it as numbers, to be sent to another rank.
  std::vector<double> Numbers() const;
  static AlphaBetaMeter Of(std::span<const double> numbers);

 private:
  uint64_t views_ = 0;
  std::vector<double> betas_ = std::vector<double>(Alphas().size());
  double least_cosine_ = 1, least_pl_ = kNone;
  static const double kNone;
};

}  // namespace gradwire
