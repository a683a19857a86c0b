// SPDX-License-Identifier: Apache-2.0
#include "theory/theory.h"

#include <algorithm>

#include <fmt/format.h>

#include "theory/theory_steps.h"

namespace gradwire {
namespace {

constexpr std::string_view kUnified = "Gorbunov et al. 2020, arXiv 1905.11261, theorem 4.1";
constexpr std::string_view kBiased =
    "Beznosikov et al. 2023, arXiv 2002.12410, delta/(14 (2 + B delta) Lmax) for B = 0";
constexpr std::string_view kEc = "Gorbunov et al. 2020, arXiv 2010.12292";
constexpr std::string_view kNoEc = "none: the authors ran 1/(L + lambda), which is no theorem's";
constexpr std::string_view kVrDiana =
    "1/(Lil (1 + (4 omega + 2)/n + 4 (1 + omega) (4 + p/alpha)/n)), alpha = min(p/3, 1/(1 + omega)), p = 1/m";
constexpr std::string_view kSmooth = "Safaryan et al. 2021, arXiv 2102.07245; Wang et al. 2022, arXiv 2106.03524";
constexpr std::string_view kMarina = "Gorbunov et al. 2021, arXiv 2102.07845";

const Theory* Find(const Method& method, const EstimatorConfig& estimator) {
  const auto found = std::ranges::find_if(
      Theories(), [&](const Theory& t) { return t.method == method.name && t.estimator == estimator.name; });
  return found == Theories().end() ? nullptr : &*found;
}

TheoryConstants ConstantsOf(const Problem& problem, const ExchangeParts& parts, const EstimatorConfig& estimator) {
  const bool common = parts.compressor->linear();  // one draw for all workers, whose errors then do not cancel
  return {problem, parts, estimator, Piece::Whole(problem.dimension()),
          common ? 1.0 : static_cast<double>(problem.workers.size())};
}

/// Why the theorem says nothing of such a run; empty where it does.
std::string Gap(const Theory& theory, const Method& method, const ExchangeParts& parts, const Problem& problem,
                const EstimatorConfig& estimator) {
  if (parts.link.has_momentum()) return "comm.ema";
  if (estimator.name != "full" && (estimator.sampling == "reshuffle" || estimator.sampling == "shuffle_once"))
    return "objective.sampling " + estimator.sampling + ", whose batches are not independent";
  if (!theory.noisy && !estimator.noise.is_none()) return "objective.noise";
  if (parts.link.noise > 0) return "comm.noise";
  if (!parts.participation.is_all() && parts.link.reference != Reference::kPrevious)
    return "comm.participation " + parts.participation.text();
  if (method.down == "none" && parts.down_compressor && !parts.down_compressor->is_identity())
    return "a way back (comm.down)";
  if (theory.strongly_convex && problem.strong_convexity == 0) return "an objective that is not convex";
  if (!theory.regularised && parts.prox) return "objective.prox";
  return "";
}

}  // namespace

const std::vector<Theory>& Theories() {
  static const std::vector<Theory> theories = {
      {"none", "full", "1/L", "gradient descent", GradientDescentStep, false, true},
      {"none", "sgd", "1/(2 Lil)", kUnified, UnifiedStep, true, true, nullptr, true},
      {"none", "star", "1/(2 Lil)", kUnified, UnifiedStep, true, true},
      {"none", "lsvrg", "1/(6 Lil)", kUnified, UnifiedStep, true, true},
      {"none", "saga", "1/(6 Lil)", kUnified, UnifiedStep, true, true, nullptr, true},
      {"none", "sega", "1/(6 b Lmax) of b blocks", kUnified, UnifiedStep, true, true, nullptr, true},
      {"dcgd", "full", "1/(L + 2 omega Lmax/n)", kUnified, DcgdStep, true, true},
      {"dcgd", "sgd", "1/(2 (1 + omega) Lil)", kUnified, QsgdStep},
      {"dcgd_plus", "full", "1/(L + 2 max Lt_i/n), Lt_i in place of omega L_i", kSmooth, DcgdPlusStep, true, true},
      {"diana_plus", "full", "1/(L + 6 max Lt_i/n), alpha = 1/(1 + max omega_i)", kSmooth, DianaPlusStep, true, true},
      {"qsgd", "sgd", "1/(2 (1 + omega) Lil)", kUnified, QsgdStep},
      {"terngrad", "sgd", "1/(2 (1 + omega) Lil)", kUnified, QsgdStep},
      {"ef", "full", "delta/(28 Lmax)", kBiased, ErrorFeedbackStep},
      {"ec", "full", "delta/(28 Lmax)", kBiased, ErrorFeedbackStep},
      {"ec_star", "full", "delta/(28 Lmax)", kBiased, ErrorFeedbackStep},
      {"ec_lsvrg", "lsvrg", kNoEc, kEc},
      {"ec_lsvrg_star", "lsvrg", kNoEc, kEc},
      {"ec_lsvrg_diana", "lsvrg", kNoEc, kEc},
      {"ef21", "full", "1/(L + Lrms sqrt(1 - delta)/(1 - sqrt(1 - delta)))",
       "Richtarik et al. 2021, arXiv 2106.05203, theorem 1", Ef21Step, false},
      {"econtrol", "full", "delta/(3200 sqrt(2) Lrms), eta = delta/400",
       "Gao et al. 2024, arXiv 2311.05645, theorems 5-7", EControlStep, false, false, SetEControl},
      {"diana", "full", "1/(Lmax (1 + 6 omega/n)); not convex: 1/(10 Lmax sqrt(1 + omega/n) (2 + omega))",
       "arXiv 1905.11261, theorem 4.1; not convex: Horvath et al. 2019, arXiv 1904.05115", DianaStep, false, true},
      {"diana", "lsvrg", kVrDiana, kUnified, VrDianaStep, true, true, SetVrDiana},
      {"diana", "saga", kVrDiana, kUnified, VrDianaStep, true, true, SetVrDiana},
      {"vr_diana", "lsvrg", kVrDiana, kUnified, VrDianaStep, true, true, SetVrDiana},
      {"vr_diana", "saga", kVrDiana, kUnified, VrDianaStep, true, true, SetVrDiana},
      {"dore", "full",
       "the middle of eta (mu + L)/(2 (1 + eta) mu L) and 2/((1 + 4 omega (1 + omega) alpha/n) (mu + L)), of mu-convex "
       "and L-smooth f_i, and eta small enough for them",
       "Liu et al. 2020, arXiv 1910.07561, theorem 1", DoreStep, true, true, SetDore},
      {"marina", "full", "1/(Lrms (1 + sqrt((1 - p) omega/(p n))))", kMarina, MarinaStep, false},
      {"pp_marina", "full", "1/(Lrms (1 + sqrt((1 - p) (1 + omega)/(p r))))", kMarina, MarinaStep, false},
  };
  return theories;
}

void TakeTheoryCoefficients(const Method& method, const CommConfig& comm, const Problem& problem,
                            const EstimatorConfig& estimator, ExchangeParts& parts) {
  const Theory* theory = Find(method, estimator);
  if (theory && theory->set) theory->set(ConstantsOf(problem, parts, estimator), comm, parts);
}

double TheoryStep(const Method& method, const ExchangeParts& parts, const Problem& problem,
                  const EstimatorConfig& estimator) {
  const auto name = [&] { return fmt::format("{} with estimator {}", method.name, estimator.name); };
  const Theory* theory = Find(method, estimator);
  if (!theory) throw TheoryRefusal(fmt::format("no theory for {}", name()));
  if (!theory->step)
    throw TheoryRefusal(fmt::format("no theory for {}: {} [{}]", name(), theory->formula, theory->source));
  if (const std::string gap = Gap(*theory, method, parts, problem, estimator); !gap.empty())
    throw TheoryRefusal(fmt::format("the theorem for {} [{}] says nothing of {}", name(), theory->source, gap));
  return theory->step(ConstantsOf(problem, parts, estimator));
}

}  // namespace gradwire
