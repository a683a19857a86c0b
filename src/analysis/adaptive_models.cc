// SPDX-License-Identifier: Apache-2.0
// RMSprop and Adam, with and without decoupled weight decay.
#include <algorithm>
#include <cmath>

#include "analysis/models.h"

namespace gradwire {
namespace {

constexpr std::string_view kSource =
    "Compagnoni et al., ICLR 2025, arXiv 2411.15958; Malladi et al., NeurIPS 2022, arXiv 2205.10287";

double Square(double x) { return x * x; }

/// E g_j^2.
double MeanSquare(const MethodSettings& settings, size_t j, double x) {
  return Square(settings.curvature[j] * x) + Square(settings.noise_scale());
}

/// (X, V): V begins at the mean square of the gradient there.
void BeginRmsprop(const MethodSettings& settings, std::span<double> state) {
  const size_t d = settings.curvature.size();
  for (size_t j = 0; j < d; ++j) state[j] = settings.start, state[d + j] = MeanSquare(settings, j, settings.start);
}

Sde RmspropSde(const MethodSettings& settings) {
  const size_t d = settings.curvature.size();
  return {.size = 2 * d,
          .begin = [settings](std::span<double> y) { BeginRmsprop(settings, y); },
          .coefficients =
              [settings, d](double, std::span<const double> y, std::span<double> b, std::span<double> a) {
                for (size_t j = 0; j < d; ++j) {
                  const double p = std::sqrt(y[d + j]) + settings.epsilon;
                  b[j] = -settings.curvature[j] * y[j] / p - settings.decay * y[j];
                  a[j] = std::sqrt(settings.eta) * settings.noise_scale() / p;
                  b[d + j] = settings.rho2 * (MeanSquare(settings, j, y[j]) - y[d + j]);
                }
              }};
}

/// (X, M, V). The SDE is begun at time eta, when M and V have taken their first gradient, by its mean; at 0 it has a
/// singularity. The drift of X is that of Malladi et al.: the later paper has M + eta rho1 (grad f - M), of the same
/// weak order, but without the noise of that gradient, which takes a share off the noise that reaches X: its stationary
/// loss is (1 - eta rho1)^2 of the method's, 0.64 for eta = 0.02 and rho1 = 10 (measured 0.0016, the method 0.0024).
Sde AdamSde(const MethodSettings& settings) {
  const size_t d = settings.curvature.size();
  return {.size = 3 * d,
          .begin =
              [settings, d](std::span<double> y) {
                for (size_t j = 0; j < d; ++j) {
                  y[j] = settings.start;
                  y[d + j] = settings.eta * settings.rho1 * settings.curvature[j] * settings.start;
                  y[2 * d + j] = settings.eta * settings.rho2 * MeanSquare(settings, j, settings.start);
                }
              },
          .coefficients =
              [settings, d](double t, std::span<const double> y, std::span<double> b, std::span<double> a) {
                const double i1 = -std::expm1(-settings.rho1 * t), root = std::sqrt(-std::expm1(-settings.rho2 * t));
                for (size_t j = 0; j < d; ++j) {
                  const double p = std::sqrt(y[2 * d + j]) + settings.epsilon * root;
                  const double away = settings.curvature[j] * y[j] - y[d + j];
                  b[j] = -root / i1 * y[d + j] / p - settings.decay * y[j];
                  b[d + j] = settings.rho1 * away;
                  a[d + j] = std::sqrt(settings.eta) * settings.rho1 * settings.noise_scale();
                  b[2 * d + j] = settings.rho2 * (MeanSquare(settings, j, y[j]) - y[2 * d + j]);
                }
              },
          .first_time = settings.eta};
}

/// What both methods have in common.
class AdaptiveMethod : public Process {
 public:
  AdaptiveMethod(const MethodSettings& settings, size_t vectors)
      : settings_(settings), d_(settings.curvature.size()), vectors_(vectors) {}
  size_t size() const override { return vectors_ * d_; }
  double step_time() const override { return settings_.eta; }

 protected:
  double Gradient(PathContext& path, size_t j, double x) const {
    return settings_.curvature[j] * x + settings_.noise_scale() * settings_.noise.Draw(path.noise);
  }

  const MethodSettings settings_;
  const size_t d_, vectors_;
};

class Rmsprop final : public AdaptiveMethod {
 public:
  explicit Rmsprop(const MethodSettings& settings) : AdaptiveMethod(settings, 2) {}
  void Begin(std::span<double> state) const override { BeginRmsprop(settings_, state); }
  void Step(size_t, PathContext& path, std::span<double> state) const override {
    for (size_t j = 0; j < d_; ++j) {
      double &x = state[j], &v = state[d_ + j];
      const double g = Gradient(path, j, x);
      v += settings_.eta * settings_.rho2 * (g * g - v);
      x -= settings_.eta * (g / (std::sqrt(v) + settings_.epsilon) + settings_.decay * x);
    }
  }
};

/// Kingma & Ba 2015 with the decay of Loshchilov & Hutter 2019.
class Adam final : public AdaptiveMethod {
 public:
  explicit Adam(const MethodSettings& settings) : AdaptiveMethod(settings, 3) {}
  void Begin(std::span<double> state) const override {
    std::ranges::fill(state, 0);
    std::ranges::fill(state.first(d_), settings_.start);
  }
  void Step(size_t k, PathContext& path, std::span<double> state) const override {
    const double rate1 = settings_.eta * settings_.rho1, rate2 = settings_.eta * settings_.rho2,
                 steps = static_cast<double>(k + 1);
    const double i1 = 1 - std::pow(1 - rate1, steps), i2 = 1 - std::pow(1 - rate2, steps);
    for (size_t j = 0; j < d_; ++j) {
      double &x = state[j], &m = state[d_ + j], &v = state[2 * d_ + j];
      const double g = Gradient(path, j, x);
      m += rate1 * (g - m);
      v += rate2 * (g * g - v);
      x -= settings_.eta * (m / i1 / (std::sqrt(v / i2) + settings_.epsilon) + settings_.decay * x);
    }
  }
};

/// With V at s^2: d E x^2 = -2 (h / s + theta) E x^2 + eta.
LinearMoments RmspropMoments(const MethodSettings& settings, double h) {
  const double rate = h / settings.noise_scale() + settings.decay;
  return {.mean_rate = rate, .second_rate = 2 * rate, .injected = settings.eta, .stationary_only = true};
}

/// A momentum changes the level by the decay alone: solved for E x^2, E x m and E m^2 it is that of RMSprop over
/// 1 + theta / rho1, which the paper leaves out.
LinearMoments AdamMoments(const MethodSettings& settings, double h) {
  LinearMoments moments = RmspropMoments(settings, h);
  moments.injected /= 1 + settings.decay / settings.rho1;
  return moments;
}

double RmspropRate(const MethodSettings& settings, double h) {
  return std::max(settings.rho2, RmspropMoments(settings, h).mean_rate);
}
double AdamRate(const MethodSettings& settings, double h) { return std::max(settings.rho1, RmspropRate(settings, h)); }

}  // namespace

SdeModel RmspropWModel() {
  return {.name = "rmspropw",
          .summary = "RMSprop with decoupled weight decay theta",
          .equation =
              "dX = -P^-1 (grad f dt + sqrt(eta) Sigma^(1/2) dW) - theta X dt, "
              "dV = rho2 ((grad f)^2 + diag Sigma - V) dt, P = V^(1/2) + epsilon",
          .source = kSource,
          .reads = {"rho2", "epsilon", "decay"},
          .sde = RmspropSde,
          .discrete = [](const MethodSettings& settings) -> std::unique_ptr<const Process> {
            return std::make_unique<Rmsprop>(settings);
          },
          .moments = RmspropMoments,
          .rate = RmspropRate};
}

SdeModel AdamWModel() {
  return {.name = "adamw",
          .summary = "Adam with decoupled weight decay theta",
          .equation =
              "dX = -(sqrt(i2) / i1) P^-1 M dt - theta X dt, "
              "dM = rho1 (grad f - M) dt + sqrt(eta) rho1 Sigma^(1/2) dW, "
              "dV = rho2 ((grad f)^2 + diag Sigma - V) dt, i_j = 1 - exp(-rho_j t), "
              "P = V^(1/2) + epsilon sqrt(i2)",
          .source = kSource,
          .reads = {"rho1", "rho2", "epsilon", "decay"},
          .sde = AdamSde,
          .discrete = [](const MethodSettings& settings) -> std::unique_ptr<const Process> {
            return std::make_unique<Adam>(settings);
          },
          .moments = AdamMoments,
          .rate = AdamRate};
}

SdeModel RmspropModel() {
  SdeModel model = RmspropWModel();
  model.name = "rmsprop", model.summary = "RMSprop";
  std::erase(model.reads, "decay");
  return model;
}

SdeModel AdamModel() {
  SdeModel model = AdamWModel();
  model.name = "adam", model.summary = "Adam";
  std::erase(model.reads, "decay");
  return model;
}

}  // namespace gradwire
