// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>

#include "estimate/anchored.h"
#include "estimate/difference.h"
#include "estimate/estimator.h"
#include "estimate/filters.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

const std::vector<double>& KnownMinimiser(const Problem& problem, const std::string& key, std::string_view value) {
  if (problem.minimiser) return problem.minimiser->x;
  throw ConfigError(
      key, fmt::format("{} needs x*, which is not known for a non-convex objective; expected another one", value));
}

/// How diff's refresh batch is drawn; null where it is all samples.
std::unique_ptr<Sampling> FreshOf(EstimatorConfig config, const FiniteSum& f, const Streams& streams) {
  if (config.refresh_batch == 0) return nullptr;
  config.batch = config.refresh_batch;
  try {
    return MakeSampling(config, f, streams.seed, streams.worker);
  } catch (const ConfigError& error) {  // it names objective.batch, which was not asked for
    throw ConfigError("objective.refresh_batch", error.reason());
  }
}

std::unique_ptr<Estimator> MakeCore(const EstimatorConfig& config, const Problem& problem, const Streams& streams) {
  const auto& f = problem.workers[streams.worker];
  if (config.name == "full") return std::make_unique<FullGradient>(f);
  std::unique_ptr<Sampling> sampling = MakeSampling(config, *f, streams.seed, streams.worker);
  if (config.name == "sgd") return std::make_unique<Sgd>(f, std::move(sampling), streams);
  if (config.name == "star")
    return std::make_unique<Anchored>(f, std::move(sampling), streams,
                                      KnownMinimiser(problem, "objective.estimator", "star"));
  if (config.name == "anchored")
    return std::make_unique<DriverAnchored>(f, std::move(sampling), streams, std::span<const double>(problem.start));
  if (config.name == "diff")
    return std::make_unique<Diff>(f, std::move(sampling), FreshOf(config, *f, streams), streams, config.refresh);
  // A common coin has to have one probability, though blocks of samples differ by one.
  const bool common = config.coin == "common";
  const size_t samples = (common ? problem.workers[0] : f)->samples();
  const uint64_t period = config.anchor_period > 0 ? static_cast<uint64_t>(config.anchor_period) : samples;
  if (config.name == "svrg") return std::make_unique<Svrg>(f, std::move(sampling), streams, period);
  if (config.name == "lsvrg") return std::make_unique<Lsvrg>(f, std::move(sampling), streams, period, common);
  throw ConfigError("objective.estimator", fmt::format("'{}' is unknown; expected full, sgd, star, svrg, lsvrg, "
                                                       "anchored or diff",
                                                       config.name));
}

}  // namespace

const std::vector<EstimatorInfo>& Estimators() {
  static const std::vector<EstimatorInfo> estimators = {
      {"full", "the gradient, from all samples", "gradient descent"},
      {"sgd", "of a batch drawn by objective.sampling", "Robbins & Monro 1951"},
      {"star", "sgd with the noise at the solution taken off; for theory", "Gorbunov et al. 2020, arXiv 1905.11261"},
      {"svrg", "sgd with the noise at an anchor taken off, which moves every anchor_period rounds",
       "Johnson & Zhang 2013"},
      {"lsvrg", "svrg whose anchor moves by a coin, once in anchor_period rounds",
       "Kovalev et al. 2020, arXiv 1901.08689"},
      {"anchored", "svrg whose anchor the local rounds move, to the workers' mean (local.shift: anchor)",
       "Gorbunov et al. 2021, arXiv 2011.02828"},
      {"diff", "the last estimate and the change of a batch's gradient; all samples in marina's dense rounds",
       "Gorbunov et al. 2021, arXiv 2102.07845"},
  };
  return estimators;
}

std::unique_ptr<Estimator> MakeEstimator(const EstimatorConfig& config, const std::shared_ptr<const Problem>& problem,
                                         size_t worker, uint64_t seed) {
  std::unique_ptr<Estimator> estimator = MakeCore(config, *problem, {seed, worker});
  if (config.star_shift) {
    std::vector<double> h(problem->dimension());
    problem->workers[worker]->Gradient(KnownMinimiser(*problem, "objective.star_shift", "true"), h);
    estimator = MakeShift(std::move(estimator), std::move(h));
  }
  return estimator;
}

}  // namespace gradwire
