// SPDX-License-Identifier: Apache-2.0
#include "problem/loss.h"

#include <algorithm>
#include <cmath>

namespace gradwire {
namespace {

/// 1 / (1 + exp(z)), without overflow.
double Sigmoid(double z) {
  const double e = std::exp(-std::abs(z));
  return (z > 0 ? e : 1.0) / (1 + e);
}

// Margins are y p, with y = +1 or -1.

double LogisticValue(double p, double y) {  // without overflow
  const double z = y * p;
  return z > 0 ? std::log1p(std::exp(-z)) : std::log1p(std::exp(z)) - z;
}
double LogisticSlope(double p, double y) { return -y * Sigmoid(y * p); }
double LogisticBend(double p, double y) {
  const double s = Sigmoid(y * p);
  return s * (1 - s);
}

double SquaredSigmoidValue(double p, double y) { return std::pow(Sigmoid(y * p), 2); }
double SquaredSigmoidSlope(double p, double y) {
  const double s = Sigmoid(y * p);
  return -y * 2 * s * s * (1 - s);
}
double SquaredSigmoidBend(double s) { return 2 * s * s * (1 - s) * (2 - 3 * s); }
double SquaredSigmoidBend(double p, double y) { return SquaredSigmoidBend(Sigmoid(y * p)); }

double SquareValue(double p, double y) { return 0.5 * (p - y) * (p - y); }
double SquareSlope(double p, double y) { return p - y; }
double SquareBend(double, double) { return 1; }

double GemanMcClureValue(double p, double y) {
  const double square = (p - y) * (p - y);
  return std::isfinite(square) ? square / (1 + square) : 1;
}
double GemanMcClureSlope(double p, double y) {
  const double root = 1 + (p - y) * (p - y);
  return 2 * (p - y) / (root * root);
}
double GemanMcClureBend(double p, double y) {
  const double root = 1 + (p - y) * (p - y);
  return (8 - 6 * root) / (root * root * root);
}

}  // namespace

const std::vector<Loss>& Losses() {
  static const std::vector<Loss> losses = {
      {.name = "logistic",
       .value = LogisticValue,
       .slope = LogisticSlope,
       .bend = LogisticBend,
       .least_bend = 0,
       .most_bend = 0.25,
       .has_classes = true,
       .needs_ridge = true},
      {.name = "squared_sigmoid",
       .value = SquaredSigmoidValue,
       .slope = SquaredSigmoidSlope,
       .bend = SquaredSigmoidBend,
       .least_bend = SquaredSigmoidBend((15 + std::sqrt(33)) / 24),
       .most_bend = SquaredSigmoidBend((15 - std::sqrt(33)) / 24),
       .has_classes = true,
       .needs_ridge = false},
      {.name = "least_squares",
       .value = SquareValue,
       .slope = SquareSlope,
       .bend = SquareBend,
       .least_bend = 1,
       .most_bend = 1,
       .has_classes = false,
       .needs_ridge = false},
      {.name = "geman_mcclure",
       .value = GemanMcClureValue,
       .slope = GemanMcClureSlope,
       .bend = GemanMcClureBend,
       .least_bend = -0.5,
       .most_bend = 2,
       .has_classes = false,
       .needs_ridge = false},
  };
  return losses;
}

const Loss* FindLoss(std::string_view name) {
  const auto found = std::ranges::find(Losses(), name, &Loss::name);
  return found == Losses().end() ? nullptr : &*found;
}

}  // namespace gradwire
