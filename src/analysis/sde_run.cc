// SPDX-License-Identifier: Apache-2.0
#include "analysis/sde_run.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr size_t kRecords = 100;  // about so many, for a picture
constexpr double kMaxWork = 1e12;

/// The steps of eta until the end.
size_t StepsOf(const SdeRun& run) {
  const double steps = std::round(run.time / run.settings.eta);
  if (!(steps >= 1) || std::abs(run.time / run.settings.eta - steps) > 1e-6 * steps)
    throw ConfigError("time", fmt::format("found {}, expected a multiple of eta = {}", run.time, run.settings.eta));
  const double of_path = steps * static_cast<double>(run.settings.workers * run.settings.curvature.size());
  if (const double work = of_path * static_cast<double>(run.paths); work > kMaxWork)
    throw ConfigError("paths", fmt::format("{:.3g} steps of a coordinate are too many; expected fewer paths, less time "
                                           "or a larger eta",
                                           work));
  return static_cast<size_t>(steps);
}

}  // namespace

SdeResult RunSde(const SdeRun& run) {
  const SdeModel& model = FindSdeModel(run.method);
  CheckSettings(model, run.settings);
  const double dt = run.dt == 0 ? run.settings.eta : run.dt;
  const size_t finer = StepsPerEta(model, run.settings, dt), steps = StepsOf(run);
  EnsembleOptions options{.paths = run.paths, .seed = run.seed, .threads = run.threads, .recorded = {}};
  const size_t stride = (steps + kRecords - 1) / kRecords;
  for (size_t step = 0; step < steps; step += stride) options.recorded.push_back(step);
  options.recorded.push_back(steps);
  EnsembleOptions of_sde = options;
  of_sde.stream = 1;
  for (size_t& step : of_sde.recorded) step *= finer;
  Ensemble discrete(*model.discrete(run.settings), run.settings.curvature, options);
  Ensemble integrated(EulerMaruyama(model.sde(run.settings), dt), run.settings.curvature, of_sde);
  return {std::move(discrete), std::move(integrated)};
}

Estimate Quotient(const Estimate& integrated, const Estimate& discrete) {
  const double quotient = integrated.value / discrete.value;
  return {quotient,
          std::abs(quotient) * std::hypot(integrated.error / integrated.value, discrete.error / discrete.value)};
}

}  // namespace gradwire
