// SPDX-License-Identifier: Apache-2.0
#include "gradwire/theory.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

using C = TheoryConstants;

ConfigError Refusal(std::string_view reason) {
  return ConfigError(fmt::format("optimizer.lr: theory: {}; give optimizer.lr a number", reason));
}

double Omega(const C& c, const Compressor& compressor) {
  if (const auto omega = compressor.omega(c.piece)) return *omega;
  throw Refusal(fmt::format("the formula needs an unbiased operator, and {} has no omega", compressor.spec()));
}
double Omega(const C& c) { return Omega(c, *c.parts.compressor); }

double Delta(const C& c) {
  if (const auto delta = c.parts.compressor->delta(c.piece)) return *delta;
  throw Refusal(fmt::format("the formula needs a contraction, and {} has no delta", c.parts.compressor->spec()));
}

double L(const C& c) { return c.problem.smoothness; }
double Lmax(const C& c) { return c.problem.max_worker_smoothness(); }
double Lil(const C& c) { return c.problem.max_sample_smoothness; }
double Lrms(const C& c) {
  double sum = 0;
  for (const double l : c.problem.worker_smoothness) sum += l * l;
  return std::sqrt(sum / static_cast<double>(c.problem.worker_smoothness.size()));
}

double Dcgd(const C& c) { return 1 / (L(c) + 2 * Omega(c) * Lmax(c) / c.n); }
double Qsgd(const C& c) { return 1 / (2 * (1 + Omega(c)) * Lil(c)); }
double ErrorFeedback(const C& c) { return Delta(c) / (28 * L(c)); }

double Ef21(const C& c) {
  const double delta = Delta(c), theta = 1 - std::sqrt(1 - delta), beta = (1 - delta) / theta;
  return 1 / (L(c) + Lrms(c) * std::sqrt(beta / theta));
}

double Diana(const C& c) {
  const double omega = Omega(c);
  if (c.problem.strong_convexity > 0) return 1 / (Lmax(c) * (1 + 6 * omega / c.n));
  return 1 / (10 * Lrms(c) * std::sqrt(1 + omega / c.n) * (2 + omega));
}
double VrDiana(const C& c) { return 1 / (6 * Lil(c) * (1 + Omega(c) / c.n)); }

double Marina(const C& c) {
  const size_t workers = c.problem.workers.size();
  const double p = RefreshProbability(c.parts, {{"x", {static_cast<int64_t>(c.problem.dimension())}}}, workers);
  if (c.parts.participation.is_all()) return 1 / (Lrms(c) * (1 + std::sqrt((1 - p) * Omega(c) / (p * c.n))));
  // Of one draw for all: ||Q(mean)||^2 <= (1 + omega) mean ||.||^2, whatever r.
  const double r = c.n == 1 ? 1 : static_cast<double>(c.parts.participation.CountOf(workers));
  return 1 / (Lrms(c) * (1 + std::sqrt((1 - p) * (1 + Omega(c)) / (p * r))));
}

/// The middle of the interval of theorem 1, for mu-convex and L-smooth f_i and the link's alpha and eta.
double Dore(const C& c) {
  const double omega = std::max(Omega(c), Omega(c, *c.parts.down_compressor));
  const double alpha = c.parts.link.alpha.At(*c.parts.compressor, c.piece);
  const double eta = c.parts.down.kappa.At(*c.parts.down_compressor, c.piece);
  const double mu = c.problem.min_worker_convexity, l = Lmax(c), c_alpha = 4 * omega * (omega + 1) / c.n * alpha;
  const double low = eta * (mu + l) / (2 * (1 + eta) * mu * l), high = 2 / ((1 + c_alpha) * (mu + l));
  if (low <= high) return (low + high) / 2;  // false for mu = 0
  throw Refusal(
      fmt::format("DORE's steps go from {:.3g} to {:.3g}, an empty interval: comm.eta = {:.3g} is too large "
                  "for mu / L = {:.3g}",
                  low, high, eta, mu / l));
}

constexpr std::string_view kKhirirat = "Khirirat et al. 2018, arXiv 1806.06573";
constexpr std::string_view kUnified = "Gorbunov et al. 2020, arXiv 1905.11261";
constexpr std::string_view kBiased = "Beznosikov et al. 2023, arXiv 2002.12410, delta/(14 (2 + B delta) L) for B = 0";
constexpr std::string_view kEcRuns = "as Gorbunov et al. 2020, arXiv 2010.12292, ran them";

}  // namespace

const std::vector<Theory>& Theories() {
  static const std::vector<Theory> theories = {
      {"none", "full", "1/L", "gradient descent", [](const C& c) { return 1 / L(c); }},
      {"none", "sgd", "1/(2 Lil)", kUnified, [](const C& c) { return 1 / (2 * Lil(c)); }},
      {"none", "star", "1/(2 Lil)", kUnified, [](const C& c) { return 1 / (2 * Lil(c)); }},
      {"none", "lsvrg", "1/(6 Lil)", kUnified, [](const C& c) { return 1 / (6 * Lil(c)); }},
      {"dcgd", "full", "1/(L + 2 omega Lmax/n)", kKhirirat, Dcgd},
      {"dcgd", "sgd", "1/(2 (1 + omega) Lil)", kUnified, Qsgd},
      {"qsgd", "sgd", "1/(2 (1 + omega) Lil)", kUnified, Qsgd},
      {"terngrad", "sgd", "1/(2 (1 + omega) Lil)", kUnified, Qsgd},
      {"ef", "full", "delta/(28 L)", kBiased, ErrorFeedback},
      {"ec", "full", "delta/(28 L)", kBiased, ErrorFeedback},
      {"ec_star", "full", "delta/(28 L)", kBiased, ErrorFeedback},
      {"ec_lsvrg", "lsvrg", "0.1/Lil", kEcRuns, [](const C& c) { return 0.1 / Lil(c); }},
      {"ec_lsvrg_star", "lsvrg", "0.1/Lil", kEcRuns, [](const C& c) { return 0.1 / Lil(c); }},
      {"ec_lsvrg_diana", "lsvrg", "0.1/Lil", kEcRuns, [](const C& c) { return 0.1 / Lil(c); }},
      {"ef21", "full", "1/(L + Lrms sqrt(1 - delta)/(1 - sqrt(1 - delta)))", "Richtarik et al. 2021, arXiv 2106.05203",
       Ef21},
      // The paper's own bound, delta/(3200 sqrt(2) Lrms), is a thousand times below the steps that its authors run.
      {"econtrol", "full", "1/(L + Lrms sqrt(1 - delta)/(1 - sqrt(1 - delta)))",
       "that of ef21, which econtrol is without its memory; arXiv 2311.05645 proves delta/(3200 sqrt(2) Lrms)", Ef21},
      {"diana", "full", "1/(Lmax (1 + 6 omega/n)); not convex: 1/(10 Lrms sqrt(1 + omega/n) (2 + omega))", kUnified,
       Diana},
      {"diana", "lsvrg", "1/(6 Lil (1 + omega/n))", "Horvath et al. 2019, arXiv 1904.05115", VrDiana},
      {"vr_diana", "lsvrg", "1/(6 Lil (1 + omega/n))", "Horvath et al. 2019, arXiv 1904.05115", VrDiana},
      {"dore", "full",
       "the middle of eta (mu + L)/(2 (1 + eta) mu L) and 2/((1 + 4 omega (1 + omega) alpha/n) (mu + L))",
       "Liu et al. 2020, arXiv 1910.07561, theorem 1", Dore},
      {"marina", "full", "1/(Lrms (1 + sqrt((1 - p) omega/(p n))))", "Gorbunov et al. 2021, arXiv 2102.07845", Marina},
      {"pp_marina", "full", "1/(Lrms (1 + sqrt((1 - p) (1 + omega)/(p r))))",
       "Gorbunov et al. 2021, arXiv 2102.07845, theorem 4.1", Marina},
  };
  return theories;
}

double TheoryStep(const Method& method, const ExchangeParts& parts, const Problem& problem,
                  const EstimatorConfig& estimator) {
  const auto found = std::ranges::find_if(
      Theories(), [&](const Theory& t) { return t.method == method.name && t.estimator == estimator.name; });
  if (found == Theories().end() || estimator.ema != 1)
    throw Refusal(fmt::format("no theory for {} with estimator {}{}", method.name, estimator.name,
                              estimator.ema != 1 ? " and objective.ema" : ""));
  if (!parts.participation.is_all() && parts.link.reference != Reference::kPrevious)
    throw Refusal(fmt::format("no theory for {} where not all workers take part", method.name));
  const bool common = parts.compressor->linear();  // one draw for all workers, whose errors then do not cancel
  return found->step(
      {problem, parts, Piece::Whole(problem.dimension()), common ? 1.0 : static_cast<double>(problem.workers.size())});
}

}  // namespace gradwire
