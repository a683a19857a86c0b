// SPDX-License-Identifier: Apache-2.0
#include "analysis/scaling.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/text.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr std::string_view kDistributed = "Compagnoni et al., AISTATS 2025, arXiv 2502.17009";

/// For a level that is inverse to N and to the `power`-th power of B: what is left over, by one of the three.
std::vector<ScaleRemedy> ByOne(double factor, double power) {
  return {{{"eta", factor}}, {{"workers", 1 / factor}}, {{"batch", std::pow(factor, -1 / power)}}};
}

std::vector<ScaleRemedy> KeepLevel(const ScaleChange& c) {
  return ByOne(c.alpha * c.delta * (1 + c.omega_before) / (c.kappa * (1 + c.omega_after)), 1);
}

std::vector<ScaleRemedy> KeepUncompressedLevel(const ScaleChange& c) {
  return ByOne(c.alpha * c.delta / (c.kappa * (1 + c.omega_after)), 1);
}

std::vector<ScaleRemedy> KeepSignLevel(const ScaleChange& c) {
  return ByOne(c.alpha * std::sqrt(c.delta) / c.kappa, 0.5);
}

/// Either eta follows the batch, or the batch follows eta.
std::vector<ScaleRemedy> SquareRoot(const ScaleChange& c) {
  const double root = std::sqrt(c.delta);
  return {{{"eta", root / c.kappa}, {"1 - beta1", root}, {"1 - beta2", root}, {"decay", root}},
          {{"batch", c.kappa * c.kappa / c.delta}, {"1 - beta1", c.kappa}, {"1 - beta2", c.kappa}, {"decay", c.kappa}}};
}

std::vector<ScaleRemedy> Malladi(const ScaleChange& c) {
  const double k2 = c.kappa * c.kappa;
  return {{{"eta", std::sqrt(c.delta) / c.kappa}, {"1 - beta1", c.delta}, {"1 - beta2", c.delta}},
          {{"batch", k2 / c.delta}, {"1 - beta1", k2}, {"1 - beta2", k2}}};
}

}  // namespace

const std::vector<ScalingRule>& ScalingRules() {
  static const std::vector<ScalingRule> rules = {
      {.name = "keep",
       .methods = {"dcsgd", "dsgd", "sgd"},
       .keeps = "the stationary level of now, compressed as it is",
       .formula = "kappa (1 + beta omega) = alpha delta (1 + omega)",
       .source = kDistributed,
       .remedies = KeepLevel},
      {.name = "uncompressed",
       .methods = {"dcsgd"},
       .keeps = "the stationary level that now would have without compression",
       .formula = "kappa (1 + beta omega) = alpha delta",
       .source = kDistributed,
       .remedies = KeepUncompressedLevel},
      {.name = "signs",
       .methods = {"dsignsgd", "signsgd"},
       .keeps = "the stationary level of now",
       .formula = "kappa = alpha sqrt(delta)",
       .source = kDistributed,
       .remedies = KeepSignLevel},
      {.name = "square root",
       .methods = {"adamw", "rmspropw", "adam", "rmsprop"},
       .keeps = "the stationary level of now, weight decay included",
       .formula = "B -> delta B, eta -> sqrt(delta) eta, 1 - beta_i -> sqrt(delta) (1 - beta_i), theta -> sqrt(delta) "
                  "theta",
       .source = "Compagnoni et al., ICLR 2025, arXiv 2411.15958",
       .has_workers = false,
       .remedies = SquareRoot},
      {.name = "Malladi",
       .methods = {"adamw", "rmspropw", "adam", "rmsprop"},
       .keeps = "the SDE of now where there is no weight decay (the rival rule)",
       .formula = "B -> delta B, eta -> sqrt(delta) eta, 1 - beta_i -> delta (1 - beta_i), theta as it is",
       .source = "Malladi et al., NeurIPS 2022, arXiv 2205.10287",
       .has_workers = false,
       .remedies = Malladi}};
  return rules;
}

std::vector<ScalingRule> RulesOf(std::string_view method) {
  std::vector<ScalingRule> found;
  std::vector<std::string_view> known;
  for (const ScalingRule& rule : ScalingRules())
    for (const std::string_view name : rule.methods) {
      if (name == method) found.push_back(rule);
      if (std::ranges::count(known, name) == 0) known.push_back(name);
    }
  if (found.empty())
    throw ConfigError("method",
                      fmt::format("no scaling rule for {}; expected one of {}", Shown(method), fmt::join(known, ", ")));
  return found;
}

ScaleChange After(ScaleChange change, const ScaleRemedy& remedy) {
  for (const ScaleStep& step : remedy) {
    if (step.setting == "eta") change.kappa *= step.factor;
    if (step.setting == "batch") change.delta *= step.factor;
    if (step.setting == "workers") change.alpha *= step.factor;
  }
  return change;
}

}  // namespace gradwire
