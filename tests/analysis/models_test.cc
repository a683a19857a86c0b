// SPDX-License-Identifier: Apache-2.0
#include "analysis/models.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/gradient_method.h"
#include "gradwire/error.h"
#include "support/operators.h"

namespace gradwire {
namespace {

using ::testing::HasSubstr;
constexpr double kEver = std::numeric_limits<double>::infinity();

std::string WhyOf(const std::function<void()>& act) {
  try {
    act();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

std::string Why(const char* method, const MethodSettings& settings) {
  return WhyOf([&] { CheckSettings(FindSdeModel(method), settings); });
}

/// Runs the method itself, or its SDE by steps of dt, and holds the quantity against the expected number.
void ExpectNear(const Process& process, const MethodSettings& settings, size_t steps, Quantity quantity,
                double expected, size_t paths = 4000) {
  const Ensemble ensemble(process, settings.curvature, {.paths = paths, .threads = 2, .recorded = {steps}});
  const Estimate found = ensemble.At(0, quantity);
  EXPECT_NEAR(found.value, expected, 4.5 * found.error) << NameOf(quantity);
  EXPECT_LT(found.error, 0.05 * std::abs(expected)) << "too few paths to tell";
}

/// A chain with linear drift and this noise: S <- S (1 - dt (second_rate - dt mean_rate^2)) + dt injected.
double SecondAfter(const LinearMoments& moments, double start, double dt, size_t steps) {
  const double level = moments.level_of_steps(dt),
               keeps = 1 - dt * (moments.second_rate - dt * moments.mean_rate * moments.mean_rate);
  return level + (start * start - level) * std::pow(keeps, static_cast<double>(steps));
}

TEST(SdeModels, SgdAndDcsgdHaveTheExactMomentsOfTheirChainsAtAnyTime) {
  const MethodSettings plain{.curvature = {0.5, 2}, .start = 1, .eta = 0.1, .sigma = 0.7, .batch = 3};
  MethodSettings many = plain, sparse = plain;
  many.workers = sparse.workers = 3, sparse.compressor = "randk:1";
  for (const auto& [name, settings] : {std::pair("sgd", plain), std::pair("dsgd", many), std::pair("dcsgd", sparse)}) {
    const SdeModel& model = FindSdeModel(name);
    for (const size_t steps : {3, 60}) {
      double expected = 0;
      for (const double h : settings.curvature)
        expected += SecondAfter(model.moments(settings, h), settings.start, settings.eta, steps);
      SCOPED_TRACE(std::string(name) + " after " + std::to_string(steps));
      ExpectNear(*model.discrete(settings), settings, steps, Quantity::kSecond, expected);
      ExpectNear(EulerMaruyama(model.sde(settings), settings.eta), settings, steps, Quantity::kSecond, expected);
    }
  }
}

/// Of methods without memory: a step from any point has the mean eta b and the variance eta a^2.
TEST(SdeModels, AStepOfTheMethodHasTheDriftAndTheDiffusionOfTheSde) {
  const MethodSettings base{.curvature = {1, 1}, .start = 1.5, .eta = 0.5, .sigma = 1.2};
  MethodSettings sparse = base, heavy = base;
  sparse.workers = 3, sparse.compressor = "randk:1";
  heavy.workers = 2, heavy.noise = {1};
  for (const auto& [name, settings] :
       {std::pair("sgd", base), std::pair("dcsgd", sparse), std::pair("signsgd", base), std::pair("dsignsgd", heavy)}) {
    const SdeModel& model = FindSdeModel(name);
    std::vector<double> x(2, settings.start), b(2), a(2);
    model.sde(settings).coefficients(0, x, b, a);
    SCOPED_TRACE(name);
    ExpectNear(*model.discrete(settings), settings, 1, Quantity::kMean, settings.start + settings.eta * b[0], 8000);
    ExpectNear(*model.discrete(settings), settings, 1, Quantity::kVariance, settings.eta * a[0] * a[0], 8000);
  }
}

/// Euler and Maruyama's chain of a finer step comes to the SDE's closed forms.
TEST(SdeModels, ClosedFormsAreThoseOfTheSde) {
  const MethodSettings settings{
      .curvature = {1, 3}, .start = 1, .eta = 0.1, .workers = 2, .compressor = "bernoulli:0.5"};
  const SdeModel& model = FindSdeModel("dcsgd");
  const double dt = settings.eta / 32, t = 0.5;  // dt h / 2 = 0.5 % of a rate
  const EulerMaruyama fine(model.sde(settings), dt);
  const auto steps = static_cast<size_t>(std::lround(t / dt));
  ExpectNear(fine, settings, steps, Quantity::kMean, *ClosedForm(model, settings, Quantity::kMean, t), 8000);
  ExpectNear(fine, settings, steps, Quantity::kVariance, *ClosedForm(model, settings, Quantity::kVariance, t), 8000);
  ExpectNear(fine, settings, steps, Quantity::kLoss, *ClosedForm(model, settings, Quantity::kLoss, t), 8000);
}

/// By hand: eta / (2 a + eta a^2) with a = sqrt(2 / pi) and a = 2 / pi; eta sigma / (2 (h + theta sigma)).
TEST(SdeModels, LevelsAreThoseOfThePapers) {
  const auto level = [](const char* method, const MethodSettings& settings) {
    return *ClosedForm(FindSdeModel(method), settings, Quantity::kSecond, kEver);
  };
  EXPECT_NEAR(level("signsgd", {.eta = 0.01}), 6.24172e-3, 1e-7);
  EXPECT_NEAR(level("dsignsgd", {.eta = 0.01, .noise = {1}, .workers = 4}), 1.96194e-3, 1e-7);
  EXPECT_NEAR(level("dsignsgd", {.eta = 0.02, .workers = 4, .batch = 4}), 1.56042e-3, 1e-7);
  EXPECT_NEAR(level("rmspropw", {.eta = 0.01, .sigma = 0.5, .decay = 2}), 0.00125, 1e-12);
  EXPECT_NEAR(level("adamw", {.eta = 0.01, .sigma = 0.5, .decay = 2}), 0.00125 / 1.2, 1e-12);  // 1 + theta / rho1
  EXPECT_NEAR(level("sgd", {.eta = 0.01, .sigma = 2}), 0.02, 1e-12);
  EXPECT_NEAR(level("dcsgd", {.curvature = {1, 1}, .eta = 0.1, .workers = 1, .compressor = "randk:1"}), 2 * 0.2 / 1.9,
              1e-12);
}

/// Where the noise is no part: signs far from the solution are all alike, and Adam's first steps are eta each, but for
/// what the gradient has changed by, 2 %.
TEST(SdeModels, SignsAndAdamMoveByEtaWhereNoiseIsSmall) {
  for (const char* name : {"signsgd", "adam"}) {
    const MethodSettings settings{.start = 10, .eta = 0.01, .sigma = 1e-6};
    const auto process = FindSdeModel(name).discrete(settings);
    const Ensemble ensemble(*process, {1}, {.paths = 128, .recorded = {20}});
    EXPECT_NEAR(ensemble.At(0, Quantity::kMean).value, 10 - 20 * 0.01, 1e-3) << name;
  }
}

/// Weight decay alone, with gradients too small to matter: x <- (1 - eta theta) x.
TEST(SdeModels, DecoupledDecayShrinksThePoint) {
  for (const char* name : {"rmspropw", "adamw"}) {
    MethodSettings settings{.curvature = {1e-9}, .start = 1, .eta = 0.01, .sigma = 1e-9, .decay = 3, .epsilon = 1};
    const SdeModel& model = FindSdeModel(name);
    const double expected = std::pow(1 - 0.03, 50);
    const Ensemble discrete(*model.discrete(settings), {1}, {.paths = 128, .recorded = {50}});
    EXPECT_NEAR(discrete.At(0, Quantity::kMean).value, expected, 1e-6) << name;
    const Ensemble sde(EulerMaruyama(model.sde(settings), 0.01), {1}, {.paths = 128, .recorded = {50}});
    EXPECT_NEAR(sde.At(0, Quantity::kMean).value, expected, 1e-6) << name;
  }
}

/// A step of the method is x - eta times the mean of what the operator makes of the gradients.
TEST(GradientMethod, AStepIsTheMeanOfDecodedGradients) {
  MethodSettings settings{.curvature = {1, 2, 3, 4}, .start = 0.5, .eta = 0.1, .workers = 3, .compressor = "randk:2"};
  Lane lane;
  PathContext path{NoiseStream(Philox(5, Purpose::kNoise, 9)), 5, 9, lane};
  std::vector<double> x(4);
  const GradientMethod method(settings);
  method.Begin(x);
  method.Step(7, path, x);
  NoiseStream noise(Philox(5, Purpose::kNoise, 9));
  std::vector<double> expected(4, 0.5);
  for (uint32_t worker = 0; worker < 3; ++worker) {
    std::vector<double> g(4);
    for (size_t j = 0; j < 4; ++j) g[j] = settings.curvature[j] * 0.5 + noise.Normal();
    Site site{.seed = 5, .worker = worker, .step = 7, .parameter = 9, .piece = Piece::Whole(4)};
    const std::vector<double> kept = testing::Apply(*ParseCompressor("randk:2"), site, g);
    for (size_t j = 0; j < 4; ++j) expected[j] -= 0.1 * kept[j] / 3;
  }
  for (size_t j = 0; j < 4; ++j) EXPECT_NEAR(x[j], expected[j], 1e-15);
}

/// 20000 draws; the mean of a square that is 0 or (omega x)^2-like has an error of 0.7 % per unit of omega.
TEST(GradientMethod, ElementOmegaIsThatOfEachElement) {
  const std::vector<double> x = {1, -2, 0.1, 3, 0.5};
  for (const char* spec : {"identity", "randk:2", "bernoulli:0.25"}) {
    const double omega = ElementOmega(spec, x.size());
    std::vector<double> squares(x.size());
    constexpr int kDraws = 20000;
    for (uint64_t step = 0; step < kDraws; ++step) {
      const Site site{.seed = 1, .step = step, .piece = Piece::Whole(x.size())};
      const std::vector<double> kept = testing::Apply(*ParseCompressor(spec), site, x);
      for (size_t j = 0; j < x.size(); ++j) squares[j] += (kept[j] - x[j]) * (kept[j] - x[j]) / kDraws;
    }
    for (size_t j = 0; j < x.size(); ++j)
      EXPECT_NEAR(squares[j] / (x[j] * x[j]), omega, 0.06 * omega) << spec << " " << j;
  }
}

TEST(GradientMethod, OperatorsWithoutAFormulaAreRefusedByName) {
  for (const char* spec : {"topk:2", "natural", "qsgd:7", "randk:2:common", "randk:2:unscaled", "sign", "nu_rand1"})
    EXPECT_THAT(Why("dcsgd", {.curvature = {1, 1, 1}, .compressor = spec}),
                HasSubstr(std::string("compressor: no formula for ") + spec));
}

TEST(SdeModels, UnknownNamesListTheKnownOnes) {
  EXPECT_THAT(WhyOf([] { FindSdeModel("adma"); }),
              HasSubstr("method: found 'adma', did you mean 'adam'?; expected one of sgd, dsgd, dcsgd"));
  EXPECT_THAT(WhyOf([] { CheckProblem("lr2"); }), HasSubstr("problem: no formula for lr2; expected quadratic"));
}

TEST(SdeModels, WhatAModelDoesNotReadIsRefused) {
  EXPECT_THAT(Why("sgd", {.workers = 2}), HasSubstr("workers: sgd does not read it; expected it left out, or one of"));
  EXPECT_THAT(Why("dsgd", {.workers = 2, .compressor = "randk:1"}), HasSubstr("one of dcsgd"));
  EXPECT_THAT(Why("adam", {.decay = 0.1}), HasSubstr("one of rmspropw, adamw"));
  EXPECT_THAT(Why("sgd", {.noise = {3}}), HasSubstr("one of signsgd, dsignsgd"));
  EXPECT_THAT(Why("rmsprop", {.rho1 = 3}), HasSubstr("one of adam, adamw"));
}

TEST(SdeModels, ValuesOutOfRangeAreRefused) {
  EXPECT_THAT(Why("sgd", {.eta = 0}), HasSubstr("eta: found 0, expected a finite number above 0"));
  EXPECT_THAT(Why("sgd", {.curvature = {1, -1}}), HasSubstr("curvature: found -1"));
  EXPECT_THAT(Why("dsignsgd", {.noise = {1}, .batch = 2}),
              HasSubstr("batch: no formula for the mean of 2 draws of student:1; expected 1"));
  EXPECT_THAT(Why("dcsgd", {.curvature = std::vector<double>(10, 1), .eta = 0.5, .compressor = "randk:1"}),
              HasSubstr("eta: 0.5: E x^2 grows without bound"));
}

TEST(SdeModels, AStepOfTheIntegratorDividesEtaAndIsShort) {
  const SdeModel& sgd = FindSdeModel("sgd");
  EXPECT_EQ(StepsPerEta(sgd, {.eta = 0.01}, 0.01), 1u);
  EXPECT_EQ(StepsPerEta(sgd, {.eta = 0.01}, 0.0025), 4u);
  for (const double dt : {0.02, 0.004, 0.0})
    EXPECT_THAT(WhyOf([&] { StepsPerEta(sgd, {.eta = 0.01}, dt); }), HasSubstr("dt: found")) << dt;
  EXPECT_THAT(
      WhyOf([&] {
        StepsPerEta(sgd, {.curvature = {1, 50}, .eta = 0.02}, 0.02);
      }),
      HasSubstr("dt: 0.02 is too large: the drift forgets at a rate of 50, and the integrator needs dt below 0.02"));
  EXPECT_EQ(StepsPerEta(sgd, {.curvature = {1, 50}, .eta = 0.02}, 0.01), 2u);
  EXPECT_THAT(WhyOf([&] { StepsPerEta(FindSdeModel("adam"), {.eta = 0.1}, 0.1); }), HasSubstr("a rate of 10"));
}

/// Outside of |grad f| < sqrt(2) sigma the mean sign is not linear, and how adaptive methods get there is not known.
TEST(SdeModels, ThereIsNoClosedFormWhereTheDriftIsNotLinear) {
  const auto form = [](const char* name, double start, double t) {
    return ClosedForm(FindSdeModel(name), {.start = start}, Quantity::kMean, t);
  };
  EXPECT_TRUE(form("signsgd", 1.4, 1));
  EXPECT_FALSE(form("signsgd", 1.5, 1));
  EXPECT_TRUE(form("signsgd", 1.5, kEver));
  EXPECT_FALSE(form("adam", 0.1, 1));
}

}  // namespace
}  // namespace gradwire
