// SPDX-License-Identifier: Apache-2.0
#include "analysis/scale_sweep.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "analysis/gradient_method.h"
#include "analysis/sde_run.h"

namespace gradwire {
namespace {

constexpr double kRelaxations = 10;
constexpr size_t kRecords = 60;  // at least so many in the second half, where it has as many steps
constexpr size_t kDimension = 10;
// A level over the group's first one. The rules are of first order in eta: with B x 10, DCSGD's own formula is 6 % off.
constexpr double kKeptWithin = 0.1, kOffAtLeast = 0.15;

ScaleLevel Make(const std::string& group, std::string name, const MethodSettings& settings, Quantity quantity,
                bool keeps, double tolerance = 0.03) {
  const double exact = ExactLevel(group, settings, quantity);
  return {.group = group,
          .name = std::move(name),
          .method = group,
          .settings = settings,
          .quantity = quantity,
          .exact = exact,
          .tolerance = tolerance,
          .keeps = keeps};
}

/// f = ||x||^2 / 2 in R^10, sigma = 1, N = 4, eta = 0.05; rand-k for k = 10, 5, 2, 1.
void AddCompressed(std::vector<ScaleLevel>& levels) {
  const MethodSettings dense{
      .curvature = std::vector<double>(kDimension, 1), .start = 0, .eta = 0.05, .workers = 4, .compressor = "identity"};
  const auto add = [&](const std::string& name, const MethodSettings& settings, const char* scaled, bool keeps) {
    levels.push_back(Make("dcsgd", name, settings, Quantity::kSecond, keeps));
    levels.back().scaled = scaled, levels.back().omega = ElementOmega(settings.compressor, kDimension);
  };
  add("nothing compressed", dense, "", true);
  for (const char* spec : {"randk:5", "randk:2", "randk:1"}) {
    MethodSettings sparse = dense;
    sparse.compressor = spec;
    const double factor = 1 + ElementOmega(spec, kDimension);
    const auto times = static_cast<size_t>(std::lround(factor));
    MethodSettings eta = sparse, workers = sparse, batch = sparse;
    eta.eta /= factor, workers.workers *= times, batch.batch *= times;
    add(spec, sparse, "nothing scaled", false);
    add(fmt::format("{}, eta / {}", spec, times), eta, "eta / (1 + omega)", true);
    add(fmt::format("{}, N x {}", spec, times), workers, "N x (1 + omega)", true);
    add(fmt::format("{}, B x {}", spec, times), batch, "B x (1 + omega)", true);
  }
}

void AddSigns(std::vector<ScaleLevel>& levels) {
  const MethodSettings now{.curvature = std::vector<double>(kDimension, 1), .start = 0, .eta = 0.01, .workers = 4};
  MethodSettings workers = now, batch = now, alone = now;
  workers.workers = 8, workers.eta = 0.02;
  batch.batch = 4, batch.eta = 0.02;
  alone.eta = 0.02;
  const auto add = [&](const char* name, const MethodSettings& settings, bool keeps) {
    levels.push_back(Make("dsignsgd", name, settings, Quantity::kVariance, keeps));
  };
  add("N = 4, eta = 0.01", now, true);
  add("N x 2, eta x 2", workers, true);
  add("B x 4, eta x 2", batch, true);
  add("eta x 2 alone", alone, false);
}

/// h = sigma = theta = 1, where the decay takes as much as the gradient. beta_i = 1 - eta rho_i: the square-root rule
/// leaves rho_i as they are, Malladi's multiplies them by sqrt(delta).
void AddAdaptive(std::vector<ScaleLevel>& levels, const std::string& method) {
  MethodSettings now{.curvature = std::vector<double>(4, 1), .start = 0, .eta = 0.005, .decay = 1};
  MethodSettings root = now, rival = now;
  root.batch = rival.batch = 4, root.eta = rival.eta = 0.01;
  root.decay = 2;
  rival.rho2 *= 2;
  if (method == "adamw") rival.rho1 *= 2;
  const auto add = [&](const char* name, const MethodSettings& settings, bool keeps) {
    levels.push_back(Make(method, name, settings, Quantity::kVariance, keeps, 0.08));
  };
  add("B = 1, eta = 0.005, decay = 1", now, true);
  add("B x 4, square root", root, true);
  add("B x 4, Malladi", rival, false);
}

}  // namespace

double ExactLevel(const std::string& method, const MethodSettings& settings, Quantity quantity) {
  const SdeModel& model = FindSdeModel(method);
  CheckSettings(model, settings);
  double sum = 0;
  for (const double h : settings.curvature) {
    const LinearMoments moments = model.moments(settings, h);
    sum += moments.stationary_only ? moments.level() : moments.level_of_steps(settings.eta);
  }
  return quantity == Quantity::kVariance ? sum / static_cast<double>(settings.curvature.size()) : sum;
}

std::vector<ScaleLevel> ScaleLevels() {
  std::vector<ScaleLevel> levels;
  AddCompressed(levels);
  AddSigns(levels);
  AddAdaptive(levels, "rmspropw");
  AddAdaptive(levels, "adamw");
  return levels;
}

Estimate SimulateLevel(const ScaleLevel& level, size_t paths, uint64_t seed, size_t threads) {
  const SdeModel& model = FindSdeModel(level.method);
  double slowest = std::numeric_limits<double>::infinity();
  for (const double h : level.settings.curvature)
    slowest = std::min(slowest, model.moments(level.settings, h).second_rate);
  const auto steps = static_cast<size_t>(std::ceil(kRelaxations / slowest / level.settings.eta));
  EnsembleOptions options{.paths = paths, .seed = seed, .threads = threads, .recorded = {}};
  const size_t stride = std::max<size_t>(1, steps / 2 / kRecords);
  for (size_t step = steps / 2; step <= steps; step += stride) options.recorded.push_back(step);
  const Ensemble ensemble(*model.discrete(level.settings), level.settings.curvature, options);
  return ensemble.Average(0, options.recorded.size() - 1, level.quantity);
}

std::vector<ScaleOutcome> RunScaleSweep(size_t paths, uint64_t seed, size_t threads, double errors) {
  std::vector<ScaleOutcome> outcomes;
  std::map<std::string, Estimate> first;
  for (ScaleLevel& level : ScaleLevels()) {
    const Estimate found = SimulateLevel(level, paths, seed, threads);
    const Estimate of_first = Quotient(found, first.emplace(level.group, found).first->second);
    const double off = std::abs(of_first.value - 1);
    const bool as_said = level.keeps ? off <= kKeptWithin + errors * of_first.error : off >= kOffAtLeast;
    const bool near = std::abs(found.value - level.exact) <= level.tolerance * level.exact + errors * found.error;
    outcomes.push_back({std::move(level), found, of_first, near && as_said});
  }
  return outcomes;
}

}  // namespace gradwire
