// SPDX-License-Identifier: Apache-2.0
// SignSGD, of one worker and of many.
#include <algorithm>
#include <cmath>

#include "analysis/gradient_method.h"
#include "analysis/models.h"

namespace gradwire {
namespace {

/// dX_j = -m_j dt + sqrt(eta / N) sqrt(1 - m_j^2) dW_j with m_j = E sign(g_j).
Sde SignSde(const MethodSettings& settings) {
  const double root = std::sqrt(settings.eta / static_cast<double>(settings.workers));
  return {.size = settings.curvature.size(),
          .begin = [x0 = settings.start](std::span<double> y) { std::ranges::fill(y, x0); },
          .coefficients =
              [h = settings.curvature, s = settings.noise_scale(), noise = settings.noise, root](
                  double, std::span<const double> x, std::span<double> b, std::span<double> a) {
                for (size_t j = 0; j < h.size(); ++j) {
                  const double mean = noise.MeanSign(h[j] * x[j] / s);
                  b[j] = -mean;
                  a[j] = root * std::sqrt(1 - mean * mean);
                }
              }};
}

/// Of the linear phase, m_j = a x_j: d E x^2 = -2 a E x^2 + (eta / N) (1 - a^2 E x^2).
LinearMoments SignMoments(const MethodSettings& settings, double h) {
  const double a = settings.noise.MeanSignSlope() * h / settings.noise_scale(),
               eta_n = settings.eta / static_cast<double>(settings.workers);
  return {a, 2 * a + eta_n * a * a, eta_n};
}

double SignRate(const MethodSettings& settings, double h) {
  return settings.noise.MeanSignSlope() * h / settings.noise_scale();
}

/// The paper's third phase, |Y| < 1 with Y = grad f / (sqrt(2) s).
double LinearWithin(const MethodSettings& settings, double h) { return std::sqrt(2) * settings.noise_scale() / h; }

std::unique_ptr<const Process> MakeSignMethod(const MethodSettings& settings) {
  MethodSettings signs = settings;
  signs.compressor = "sign:plain";
  return MakeGradientMethod(signs);
}

}  // namespace

SdeModel DsignSgdModel() {
  return {.name = "dsignsgd",
          .summary = "steps along the mean of N workers' signs",
          .equation = "dX = -mean_i (1 - 2 P(g_i < 0)) dt + sqrt(eta/N) (mean_i Cov(sign g_i))^(1/2) dW",
          .source = "Compagnoni et al., AISTATS 2025, arXiv 2502.17009",
          .reads = {"noise", "workers"},
          .sde = SignSde,
          .discrete = MakeSignMethod,
          .moments = SignMoments,
          .rate = SignRate,
          .linear_within = LinearWithin};
}

SdeModel SignSgdModel() {
  SdeModel model = DsignSgdModel();
  model.name = "signsgd", model.summary = "steps along the signs of a gradient";
  model.equation = "dX = -(1 - 2 P(g < 0)) dt + sqrt(eta) (Cov(sign g))^(1/2) dW";
  model.source = "Compagnoni et al., ICLR 2025, arXiv 2411.15958";
  model.reads = {"noise"};
  return model;
}

}  // namespace gradwire
