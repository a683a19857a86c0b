// SPDX-License-Identifier: Apache-2.0
#include "analysis/sde_checks.h"

#include <cmath>
#include <numbers>

#include <fmt/format.h>

namespace gradwire {
namespace {

using enum Quantity;

const std::string kAgree = "SDE / method";

/// The SDE is of first weak order: what an adaptive method and it differ by is of the order of eta.
SdeExperiment Adaptive(const std::string& method, double eta) {
  const double sigma = 0.5;
  return {.name = fmt::format("{}, eta = {}", method, eta),
          .run = {.method = method,
                  .settings = {.start = 1, .eta = eta, .sigma = sigma, .rho1 = 10, .rho2 = 1},
                  .time = 6,
                  .paths = 16000},
          .checks = {{kLoss, eta * sigma / 4, 0.08, true, "eta sigma / 4"}, {kLoss, std::nullopt, 0.08, true, kAgree}}};
}

/// a = sqrt(2 / pi): the slope of the mean sign. Ten coordinates are ten paths of one.
SdeExperiment Sign() {
  return {.name = "signsgd",
          .run = {.method = "signsgd",
                  .settings = {.curvature = std::vector<double>(10, 1), .start = 0.5},
                  .time = 5,
                  .paths = 10000},
          .checks = {{kMean, 0.5 * std::exp(-5 * std::sqrt(2 / std::numbers::pi)), 6e-4, false,
                      "x0 exp(-a t), a = sqrt(2/pi) h/sigma"},
                     {kVariance, 0.01 / (2 * std::sqrt(2 / std::numbers::pi) + 0.01 * 2 / std::numbers::pi), 0.04, true,
                      "eta / (2 a + eta a^2)"},
                     {kVariance, std::nullopt, 0.04, true, kAgree}}};
}

/// nu = 1, a Cauchy law: neither the mean nor the variance of a gradient exists. a = 2 / pi.
SdeExperiment HeavyTails() {
  return {.name = "dsignsgd, student:1, N = 4",
          .run = {.method = "dsignsgd",
                  .settings = {.curvature = std::vector<double>(10, 1), .start = 0, .noise = {1}, .workers = 4},
                  .time = 5,
                  .paths = 2500},
          .checks = {{kVariance, 0.01 / 8 / (2 / std::numbers::pi), 0.03, true, "(eta / 2N) / a, a = 2/pi h/sigma"},
                     {kVariance, std::nullopt, 0.04, true, kAgree}}};
}

/// The stationary second moment of the chain itself; at t = 5 it is reached to 1e-4.
SdeExperiment Compressed(const std::string& method, const std::string& compressor, double omega) {
  const double eta = 0.05, n = 4, d = 10;
  const double level = eta * eta / n * (1 + omega) * d / (1 - (1 - eta) * (1 - eta) - eta * eta * omega / n);
  return {.name = omega == 0 ? method + ", N = 4" : fmt::format("{}, {} of 10, N = 4", method, compressor),
          .run = {.method = method,
                  .settings = {.curvature = std::vector<double>(10, 1),
                               .start = 0,
                               .eta = eta,
                               .workers = 4,
                               .compressor = compressor},
                  .time = 5,
                  .paths = 8000},
          .checks = {{kSecond, level, 0.03, true, "(eta^2/N)(1+w) d s^2 / (1 - (1-eta h)^2 - eta^2 w h^2/N)"},
                     {kSecond, std::nullopt, 0.04, true, kAgree}}};
}

bool IsNear(double value, double expected, const SdeCheck& check, double slack) {
  const double tolerance = check.relative ? check.tolerance * std::abs(expected) : check.tolerance;
  return std::abs(value - expected) <= tolerance + slack;  // false for NaN
}

}  // namespace

const std::vector<SdeExperiment>& SdeExperiments() {
  static const std::vector<SdeExperiment> experiments = {Sign(),
                                                         HeavyTails(),
                                                         Compressed("dsgd", "identity", 0),
                                                         Compressed("dcsgd", "randk:2", 4),
                                                         Adaptive("rmsprop", 0.02),
                                                         Adaptive("rmsprop", 0.01),
                                                         Adaptive("rmsprop", 0.005),
                                                         Adaptive("adam", 0.02),
                                                         Adaptive("adam", 0.01),
                                                         Adaptive("adam", 0.005)};
  return experiments;
}

SdeVerdict Judge(const SdeCheck& check, const SdeResult& result, double errors) {
  SdeVerdict verdict{check,
                     result.discrete.At(result.end(), check.quantity),
                     result.integrated.At(result.end(), check.quantity),
                     {},
                     false};
  verdict.quotient = Quotient(verdict.integrated, verdict.discrete);
  const auto near = [&](const Estimate& found, double expected) {
    return IsNear(found.value, expected, check, errors * found.error);
  };
  verdict.holds = check.paper ? near(verdict.discrete, *check.paper) && near(verdict.integrated, *check.paper)
                              : near(verdict.quotient, 1);
  return verdict;
}

}  // namespace gradwire
