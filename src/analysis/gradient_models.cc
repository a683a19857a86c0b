// SPDX-License-Identifier: Apache-2.0
// SGD, and SGD whose gradients are averaged over workers, as they are or compressed.
#include <algorithm>
#include <cmath>

#include "analysis/gradient_method.h"
#include "analysis/models.h"

namespace gradwire {
namespace {

constexpr std::string_view kSource = "Compagnoni et al., AISTATS 2025, arXiv 2502.17009";

double OmegaOf(const MethodSettings& settings) { return ElementOmega(settings.compressor, settings.curvature.size()); }

/// dX = -grad f dt + sqrt(eta / N) (E Phi Phi^T + Sigma)^(1/2) dW, Phi = C(g) - g, with the diagonal of E Phi Phi^T,
/// omega ((h_j x_j)^2 + s^2): with a diagonal Hessian the second moments of the coordinates ask for no more.
Sde CompressedSde(const MethodSettings& settings) {
  const double omega = OmegaOf(settings), s = settings.noise_scale(),
               root = std::sqrt(settings.eta / static_cast<double>(settings.workers));
  return {.size = settings.curvature.size(),
          .begin = [x0 = settings.start](std::span<double> y) { std::ranges::fill(y, x0); },
          .coefficients =
              [h = settings.curvature, omega, s, root](double, std::span<const double> x, std::span<double> b,
                                                       std::span<double> a) {
                for (size_t j = 0; j < h.size(); ++j) {
                  const double gradient = h[j] * x[j];
                  b[j] = -gradient;
                  a[j] = root * std::sqrt(omega * gradient * gradient + (1 + omega) * s * s);
                }
              }};
}

/// d E x^2 = -2 h E x^2 + (eta / N) (omega h^2 E x^2 + (1 + omega) s^2).
LinearMoments CompressedMoments(const MethodSettings& settings, double h) {
  const double omega = OmegaOf(settings), s = settings.noise_scale(),
               eta_n = settings.eta / static_cast<double>(settings.workers);
  return {h, 2 * h - eta_n * omega * h * h, eta_n * (1 + omega) * s * s};
}

double Curvature(const MethodSettings&, double h) { return h; }

}  // namespace

SdeModel DcsgdModel() {
  return {
      .name = "dcsgd",
      .summary = "SGD with the mean of N workers' compressed gradients",
      .equation = "dX = -grad f dt + sqrt(eta/N) (mean_i (E Phi_i Phi_i^T + Sigma_i))^(1/2) dW, Phi_i = C(g_i) - g_i",
      .source = kSource,
      .reads = {"workers", "compressor"},
      .sde = CompressedSde,
      .discrete = MakeGradientMethod,
      .moments = CompressedMoments,
      .rate = Curvature};
}

SdeModel DsgdModel() {
  SdeModel model = DcsgdModel();
  model.name = "dsgd", model.summary = "SGD with the mean of N workers' gradients";
  model.equation = "dX = -grad f dt + sqrt(eta/N) (mean_i Sigma_i)^(1/2) dW";
  model.reads = {"workers"};
  return model;
}

SdeModel SgdModel() {
  SdeModel model = DsgdModel();
  model.name = "sgd", model.summary = "SGD";
  model.equation = "dX = -grad f dt + sqrt(eta) Sigma^(1/2) dW";
  model.source = "Li, Tai & E, ICML 2017, arXiv 1511.06251";
  model.reads = {};
  return model;
}

}  // namespace gradwire
