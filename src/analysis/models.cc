// SPDX-License-Identifier: Apache-2.0
#include "analysis/models.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "analysis/gradient_method.h"
#include "base/text.h"
#include "compress/spec.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr std::string_view kQuadratic = "quadratic";

/// A setting that not all models read, and what it is where nobody has set it.
struct Optional {
  std::string_view name;
  bool (*is_set)(const MethodSettings& settings, const MethodSettings& plain);
};

constexpr Optional kOptional[] = {
    {"noise", [](const auto& s, const auto& plain) { return s.noise.freedom != plain.noise.freedom; }},
    {"workers", [](const auto& s, const auto& plain) { return s.workers != plain.workers; }},
    {"compressor", [](const auto& s, const auto& plain) { return s.compressor != plain.compressor; }},
    {"rho1", [](const auto& s, const auto& plain) { return s.rho1 != plain.rho1; }},
    {"rho2", [](const auto& s, const auto& plain) { return s.rho2 != plain.rho2; }},
    {"decay", [](const auto& s, const auto& plain) { return s.decay != plain.decay; }},
    {"epsilon", [](const auto& s, const auto& plain) { return s.epsilon != plain.epsilon; }},
};

void CheckRead(const SdeModel& model, const MethodSettings& settings) {
  for (const Optional& setting : kOptional) {
    if (!setting.is_set(settings, {}) || std::ranges::count(model.reads, setting.name) > 0) continue;
    std::vector<std::string_view> readers;
    for (const SdeModel& other : SdeModels())
      if (std::ranges::count(other.reads, setting.name) > 0) readers.push_back(other.name);
    throw ConfigError(std::string(setting.name), fmt::format("{} does not read it; expected it left out, or one of {}",
                                                             model.name, fmt::join(readers, ", ")));
  }
}

void CheckRange(const char* name, double value, bool may_be_zero) {
  if (std::isfinite(value) && (value > 0 || (may_be_zero && value == 0))) return;
  throw ConfigError(
      name, fmt::format("found {}, expected a finite number {} 0", value, may_be_zero ? "of at least" : "above"));
}

void CheckRanges(const MethodSettings& settings) {
  if (settings.curvature.empty()) throw ConfigError("curvature", "found nothing, expected the numbers h_j");
  for (const double h : settings.curvature) CheckRange("curvature", h, false);
  if (!std::isfinite(settings.start)) throw ConfigError("start", "expected a finite number");
  CheckRange("eta", settings.eta, false);
  CheckRange("sigma", settings.sigma, false);
  CheckRange("rho1", settings.rho1, false);
  CheckRange("rho2", settings.rho2, false);
  CheckRange("decay", settings.decay, true);
  CheckRange("epsilon", settings.epsilon, true);
  if (settings.workers == 0) throw ConfigError("workers", "found 0, expected 1 or more");
  if (settings.batch == 0) throw ConfigError("batch", "found 0, expected 1 or more");
}

}  // namespace

double MethodSettings::noise_scale() const { return sigma / std::sqrt(static_cast<double>(batch)); }

const std::vector<SdeModel>& SdeModels() {
  static const std::vector<SdeModel> models = {SgdModel(),      DsgdModel(),     DcsgdModel(),
                                               SignSgdModel(),  DsignSgdModel(), RmspropModel(),
                                               RmspropWModel(), AdamModel(),     AdamWModel()};
  return models;
}

const SdeModel& FindSdeModel(std::string_view name) {
  std::vector<std::string_view> names;
  for (const SdeModel& model : SdeModels()) {
    if (model.name == name) return model;
    names.push_back(model.name);
  }
  const std::string_view near = Nearest(name, names);
  throw ConfigError("method",
                    fmt::format("found '{}'{}; expected one of {}", Shown(name),
                                near.empty() ? "" : fmt::format(", did you mean '{}'?", near), fmt::join(names, ", ")));
}

void CheckSettings(const SdeModel& model, const MethodSettings& settings) {
  CheckRanges(settings);
  CheckRead(model, settings);
  if (!settings.noise.is_gaussian() && settings.batch > 1)
    throw ConfigError("batch", fmt::format("no formula for the mean of {} draws of {}; expected 1", settings.batch,
                                           settings.noise.spec()));
  for (const double h : settings.curvature)
    if (const double rate = model.moments(settings, h).second_rate; rate <= 0)
      throw ConfigError("eta",
                        fmt::format("{}: E x^2 grows without bound for curvature {}; expected a smaller one, more "
                                    "workers or less compression",
                                    settings.eta, h));
}

void CheckProblem(std::string_view problem) {
  if (problem != kQuadratic)
    throw ConfigError("problem",
                      fmt::format("no formula for {}; expected {}, sum_j h_j x_j^2 / 2", Shown(problem), kQuadratic));
}

size_t StepsPerEta(const SdeModel& model, const MethodSettings& settings, double dt) {
  CheckRange("dt", dt, false);
  const double steps = std::round(settings.eta / dt);
  if (steps < 1 || steps > 1e6 || std::abs(settings.eta / dt - steps) > 1e-6 * steps)
    throw ConfigError("dt", fmt::format("found {}, expected eta / m with a whole number m: {}, {}, ...", dt,
                                        settings.eta, settings.eta / 2));
  double rate = 0;
  for (const double h : settings.curvature) rate = std::max(rate, model.rate(settings, h));
  if (dt * rate >= 1)
    throw ConfigError("dt",
                      fmt::format("{} is too large: the drift forgets at a rate of {:.4g}, and the integrator needs "
                                  "dt below {:.4g}",
                                  dt, rate, 1 / rate));
  return static_cast<size_t>(steps);
}

std::optional<double> ClosedForm(const SdeModel& model, const MethodSettings& settings, Quantity quantity, double t) {
  const double d = static_cast<double>(settings.curvature.size()), x0 = settings.start;
  double sum = 0;
  for (const double h : settings.curvature) {
    const LinearMoments moments = model.moments(settings, h);
    const bool holds = model.linear_within == nullptr || std::abs(x0) <= model.linear_within(settings, h);
    if (std::isfinite(t) && (moments.stationary_only || !holds)) return std::nullopt;
    const double mean = x0 * std::exp(-moments.mean_rate * t), level = moments.level();
    const double second = level + (x0 * x0 - level) * std::exp(-moments.second_rate * t);
    switch (quantity) {
      case Quantity::kMean: sum += mean / d; break;
      case Quantity::kVariance: sum += (second - mean * mean) / d; break;
      case Quantity::kSecond: sum += second; break;
      case Quantity::kLoss: sum += h * second / 2; break;
    }
  }
  return sum;
}

}  // namespace gradwire
