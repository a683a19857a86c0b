// SPDX-License-Identifier: Apache-2.0
#include "theory/theory_steps.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "compress/smooth.h"
#include "compress/transform.h"
#include "theory/estimator_constants.h"

namespace gradwire {
namespace {

using C = TheoryConstants;

constexpr double kRounding = 1e-9;  // of coefficients that were typed

double Omega(const C& c, const Compressor& compressor) {
  if (const auto omega = compressor.omega(c.piece)) return *omega;
  throw TheoryRefusal(fmt::format("the formula needs an unbiased operator, and {} has no omega", compressor.spec()));
}
double Omega(const C& c) { return Omega(c, *c.parts.compressor); }

double Delta(const C& c) {
  if (const auto delta = c.parts.compressor->delta(c.piece)) return *delta;
  throw TheoryRefusal(fmt::format("the formula needs a contraction, and {} has no delta", c.parts.compressor->spec()));
}

double L(const C& c) { return c.problem.smoothness; }
double Lmax(const C& c) { return c.problem.max_worker_smoothness(); }
double Lil(const C& c) { return SampledSmoothness(c.problem, c.estimator); }
double Lrms(const C& c) {
  double sum = 0;
  for (const double l : c.problem.worker_smoothness) sum += l * l;
  return std::sqrt(sum / static_cast<double>(c.problem.worker_smoothness.size()));
}

double Alpha(const C& c) { return c.parts.link.alpha.At(*c.parts.compressor, c.piece); }

/// The coefficient is at most `most`.
void CheckAtMost(const char* key, double value, double most, const char* text) {
  if (value <= most * (1 + kRounding)) return;
  throw TheoryRefusal(
      fmt::format("the theorem asks for comm.{} of at most {} = {:.4g}, and it is {:.4g}", key, text, most, value));
}

void CheckEquals(const char* key, double value, double wanted, const char* text) {
  if (std::abs(value - wanted) <= kRounding * wanted) return;
  throw TheoryRefusal(
      fmt::format("the theorem asks for comm.{} = {} = {:.4g}, and it is {:.4g}", key, text, wanted, value));
}

}  // namespace

ConfigError TheoryRefusal(std::string_view reason) {
  return ConfigError("optimizer.lr", fmt::format("theory: {}; give optimizer.lr a number", reason));
}

double GradientDescentStep(const C& c) { return 1 / L(c); }

double UnifiedStep(const C& c) { return ConstantsOf(c.problem, c.estimator).Step(); }

/// A = L + 2 omega Lmax/n: E||g - grad f(x*)||^2 <= ||grad f(x) - grad f(x*)||^2 + (omega/n) mean ||grad f_i(x)||^2,
/// and
/// ||grad f_i(x)||^2 <= 2 ||grad f_i(x) - grad f_i(x*)||^2 + 2 ||grad f_i(x*)||^2.
double DcgdStep(const C& c) { return 1 / (L(c) + 2 * Omega(c) * Lmax(c) / c.n); }
double QsgdStep(const C& c) { return 1 / (2 * (1 + Omega(c)) * Lil(c)); }  // Q-SGD-SR: A = 2 (1 + omega) Lil

/// Beznosikov et al. 2023, arXiv 2002.12410, theorem of algorithm 1: eta <= 1/(14 (2 delta' + B) L) with delta' =
/// 1/delta, B = 0 for full gradients, and L of every f_i. With the step outside of C it holds for C(gamma .)/gamma;
/// with shifts grad f_i(x*), whose mean is 0, it is that of the functions f_i(x) - <grad f_i(x*), x>.
double ErrorFeedbackStep(const C& c) { return Delta(c) / (28 * Lmax(c)); }

/// Richtarik et al. 2021, arXiv 2106.05203, theorem 1: gamma <= 1/(L + Lrms sqrt(beta/theta)).
double Ef21Step(const C& c) {
  const double delta = Delta(c), theta = 1 - std::sqrt(1 - delta), beta = (1 - delta) / theta;
  return 1 / (L(c) + Lrms(c) * std::sqrt(beta / theta));
}

/// Gao et al. 2024, arXiv 2311.05645, theorems 5-7: eta = delta/400, gamma <= delta/(3200 sqrt(2) Lrms).
double EControlStep(const C& c) {
  CheckEquals("eta", c.parts.link.kappa.At(*c.parts.compressor, c.piece), Delta(c) / 400, "delta/400");
  return Delta(c) / (3200 * std::sqrt(2) * Lrms(c));
}

void SetEControl(const C& c, const CommConfig& comm, ExchangeParts& parts) {
  if (comm.eta == "auto") parts.link.kappa = Delta(c) / 400;
}

/// Convex: arXiv 1905.11261, theorem 4.1 with A = (1 + 2 omega/n) Lmax, B = 2 omega/n, rho = alpha <= 1/(1 + omega), C
/// = alpha Lmax, M = 4 omega/(n alpha). Else Horvath et al. 2019, arXiv 1904.05115, the non-convex theorem of VR-DIANA,
/// gamma = 1/(10 L sqrt(1 + omega/n) (m^(2/3) + omega + 1)) with alpha = 1/(1 + omega), for workers of one sample each
/// (m = 1), which then is the whole f_i.
double DianaStep(const C& c) {
  const double omega = Omega(c);
  if (c.problem.strong_convexity > 0) {
    CheckAtMost("alpha", Alpha(c), 1 / (1 + omega), "1/(1+omega)");
    return 1 / (Lmax(c) * (1 + 6 * omega / c.n));
  }
  if (c.parts.prox) throw TheoryRefusal("the theorem for objectives that are not convex has no objective.prox");
  CheckEquals("alpha", Alpha(c), 1 / (1 + omega), "1/(1+omega)");
  return 1 / (10 * Lmax(c) * std::sqrt(1 + omega / c.n) * (2 + omega));
}

namespace {

/// max_i Lt_i.
double Variance(const C& c) {
  if (const auto variance = SmoothVariance(*c.parts.compressor)) return *variance;
  throw TheoryRefusal(
      fmt::format("the formula needs the workers' smoothness matrices, and {} has none", c.parts.compressor->spec()));
}

}  // namespace

/// As DcgdStep, with E||C_i(v) - v||^2 <= Lt_i ||v||^2 in the norm of Lm_i^+, in which grad f_i is 1-Lipschitz: Lt_i in
/// place of omega L_i.
double DcgdPlusStep(const C& c) { return 1 / (L(c) + 2 * Variance(c) / c.n); }

double DianaPlusStep(const C& c) {
  const double omega = OmegaOfImage(*c.parts.compressor, c.piece).value();
  CheckAtMost("alpha", Alpha(c), 1 / (1 + omega), "1/(1 + omega of the image)");
  return 1 / (L(c) + 6 * Variance(c) / c.n);
}

namespace {

double VrDianaAlpha(const C& c, const EstimatorConstants& e) { return std::min(e.rho / 3, 1 / (1 + Omega(c))); }

}  // namespace

/// arXiv 1905.11261, theorem 4.1 and corollary A.15: A = (1 + (4 omega + 2)/n) Lil, B = 2 (omega + 1)/n, rho = alpha <=
/// min(p/3, 1/(1 + omega)), C = p Lil + 4 alpha Lil, where the worker's own estimator, L-SVRG or SAGA, has the
/// constants A = 2 Lil, B = 2, rho = p and C = p Lil (p = 1/m); with M = 2 B/rho = 4 (omega + 1)/(n alpha).
double VrDianaStep(const C& c) {
  const EstimatorConstants e = ConstantsOf(c.problem, c.estimator);
  const double omega = Omega(c), alpha = Alpha(c), lil = Lil(c);
  CheckAtMost("alpha", alpha, VrDianaAlpha(c, e), "min(p/3, 1/(1+omega))");
  const double a = (1 + (4 * omega + 2) / c.n) * lil, cm = (e.c + 4 * alpha * lil) * 4 * (omega + 1) / (c.n * alpha);
  return 1 / (a + cm);
}

void SetVrDiana(const C& c, const CommConfig& comm, ExchangeParts& parts) {
  if (comm.alpha == "auto") parts.link.alpha = VrDianaAlpha(c, ConstantsOf(c.problem, c.estimator));
}

/// Gorbunov et al. 2021, arXiv 2102.07845: theorem 2.1 for MARINA, with L^2 the mean of L_i^2, and 4.1 for PP-MARINA.
double MarinaStep(const C& c) {
  const size_t workers = c.problem.workers.size();
  const double p = RefreshProbability(c.parts, {{"x", {static_cast<int64_t>(c.problem.dimension())}}}, workers);
  if (!(p > 0)) throw TheoryRefusal("the theorem needs dense rounds, and comm.p is 0");
  if (c.parts.participation.is_all()) return 1 / (Lrms(c) * (1 + std::sqrt((1 - p) * Omega(c) / (p * c.n))));
  if (c.parts.participation.kind != Participation::Kind::kIid)
    throw TheoryRefusal("the theorem is of workers drawn with replacement; expected comm.participation iid:P%");
  // Of one draw for all: ||Q(mean)||^2 <= (1 + omega) mean ||.||^2, whatever r.
  const double r = c.n == 1 ? 1 : static_cast<double>(c.parts.participation.CountOf(workers));
  return 1 / (Lrms(c) * (1 + std::sqrt((1 - p) * (1 + Omega(c)) / (p * r))));
}

namespace {

/// What theorem 1 of DORE is made of.
struct DoreTerms {
  explicit DoreTerms(const C& c)
      : mu(c.problem.min_worker_convexity),
        l(Lmax(c)),
        omega(std::max(Omega(c), Omega(c, *c.parts.down_compressor))),
        down(Omega(c, *c.parts.down_compressor)),
        alpha(Alpha(c)),
        beta(c.parts.down.beta.At(*c.parts.down_compressor, c.piece)),
        eta(c.parts.down.kappa.At(*c.parts.down_compressor, c.piece)),
        stretch(1 + 4 * omega * (omega + 1) / c.n * alpha) {}

  /// eta's first bound, (sqrt(C^2 + 4 (1 - (C + 1) beta)) - C)/(2 C); at most 1.
  double FirstBound() const {
    const double root = std::sqrt(std::max(0.0, down * down + 4 * (1 - (down + 1) * beta)));
    return down > 0 ? std::min(1.0, (root - down) / (2 * down)) : 1;
  }
  /// And its second one, which leaves room between the least and the largest step.
  double SecondBound() const { return 4 * mu * l / (std::pow(mu + l, 2) * stretch - 4 * mu * l); }

  double mu, l, omega, down, alpha, beta, eta, stretch;  // stretch: 1 + c alpha
};

}  // namespace

/// Liu et al. 2020, arXiv 1910.07561, theorem 1, with c = 4 C (C + 1)/n, hence alpha = 1/(2 (C + 1)): the middle of
/// eta (mu + L)/(2 (1 + eta) mu L) and 2/((1 + c alpha) (mu + L)), for mu-convex and L-smooth f_i.
double DoreStep(const C& c) {
  const DoreTerms t(c);
  if (!(t.mu > 0)) throw TheoryRefusal("DORE's theorem is of strongly convex f_i");
  CheckEquals("alpha", t.alpha, 1 / (2 * (1 + Omega(c))), "1/(2(1+omega))");
  CheckAtMost("beta", t.beta, 1 / (1 + t.down), "1/(1+omega)");
  CheckAtMost("eta", t.eta, t.FirstBound(), "(sqrt(omega^2 + 4(1 - (1+omega) beta)) - omega)/(2 omega)");
  CheckAtMost("eta", t.eta, t.SecondBound(), "4 mu L/((mu + L)^2 (1 + c alpha) - 4 mu L)");
  const double low = t.eta * (t.mu + t.l) / (2 * (1 + t.eta) * t.mu * t.l), high = 2 / (t.stretch * (t.mu + t.l));
  return (low + high) / 2;
}

/// Eta's bounds are of the problem as well; the second one is strict.
void SetDore(const C& c, const CommConfig& comm, ExchangeParts& parts) {
  const DoreTerms t(c);
  if (comm.eta != "auto" || !(t.mu > 0)) return;
  parts.down.kappa = std::min(t.FirstBound(), 0.9 * t.SecondBound());
  parts.down.lambda = parts.down.kappa;
}

}  // namespace gradwire
