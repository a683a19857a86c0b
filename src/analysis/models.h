// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/ensemble.h"

namespace gradwire {

/// A method on f(x) = sum_j h_j x_j^2 / 2 over R^d, the only problem whose SDEs have formulas. Every worker has this f
/// and its own noise: g_j = h_j x_j + sigma / sqrt(batch) Z_j. Time is t = k eta after k steps.
struct MethodSettings {
  std::vector<double> curvature = {1};  ///< h_j > 0; d numbers
  double start = 1;                     ///< every x_j at time 0
  double eta = 0.01;                    ///< step size
  double sigma = 1;                     ///< > 0; scale of one sample's noise
  GradientNoise noise = {};
  size_t workers = 1, batch = 1;
  std::string compressor = "identity";  ///< of a worker's gradient
  double rho1 = 10, rho2 = 1;           ///< of adaptive methods: beta_i = 1 - eta rho_i; rho2 of the second moment
  double decay = 0;                     ///< theta, of decoupled weight decay
  double epsilon = 1e-8;                ///< beside the root of the second moment

  double noise_scale() const;  ///< sigma / sqrt(batch)
};

/// How the moments of one coordinate of curvature h move where the SDE's drift is linear in x:
/// E x(t) = x_0 exp(-mean_rate t), E x(t)^2 = level + (x_0^2 - level) exp(-second_rate t), level = injected /
/// second_rate.
struct LinearMoments {
  double mean_rate = 0, second_rate = 0, injected = 0;
  bool stationary_only = false;  ///< the level alone is known, not how it is reached

  double level() const { return injected / second_rate; }
  /// The level of steps of dt: x <- x + drift dt + noise, of this drift and this noise. Of the method itself for dt =
  /// eta where it keeps no momentum.
  double level_of_steps(double dt) const { return injected / (second_rate - dt * mean_rate * mean_rate); }
};

/// A method with its SDE, a row. Functions take settings that CheckSettings has passed.
struct SdeModel {
  std::string_view name, summary;
  std::string_view equation;  ///< the SDE, for people
  std::string_view source;
  std::vector<std::string_view> reads = {};  ///< settings beside those that all read
  Sde (*sde)(const MethodSettings& settings);
  std::unique_ptr<const Process> (*discrete)(const MethodSettings& settings);
  LinearMoments (*moments)(const MethodSettings& settings, double h);
  /// The fastest rate at which the drift forgets, per unit of time, for curvature h: steps must be shorter than 1 / it.
  double (*rate)(const MethodSettings& settings, double h);
  /// Largest |x_j| from which `moments` hold, for curvature h; null: any.
  double (*linear_within)(const MethodSettings& settings, double h) = nullptr;
};

/// Every model.
const std::vector<SdeModel>& SdeModels();
/// Throws ConfigError with the known names.
const SdeModel& FindSdeModel(std::string_view name);

/// Throws ConfigError for a value out of range, one that the model does not read, an operator or a noise without a
/// formula, and settings whose second moment grows without bound.
void CheckSettings(const SdeModel& model, const MethodSettings& settings);

/// Throws ConfigError, naming `problem`, unless it is "quadratic": f of MethodSettings.
void CheckProblem(std::string_view problem);

/// How many steps dt the integrator makes in one of eta. Throws ConfigError unless eta is a multiple of dt and dt is
/// shorter than what the drift's fastest rate allows.
size_t StepsPerEta(const SdeModel& model, const MethodSettings& settings, double dt);

/// The closed form of a quantity at time t, or where the SDE is stationary for infinite t; empty where there is none.
std::optional<double> ClosedForm(const SdeModel& model, const MethodSettings& settings, Quantity quantity, double t);

/// The rows, by the file that has their formulas.
SdeModel SgdModel(), DsgdModel(), DcsgdModel();
SdeModel SignSgdModel(), DsignSgdModel();
SdeModel RmspropModel(), RmspropWModel(), AdamModel(), AdamWModel();

}  // namespace gradwire
