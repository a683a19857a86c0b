// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>

#include "estimate/anchored.h"
#include "estimate/difference.h"
#include "estimate/estimator.h"
#include "estimate/filters.h"
#include "estimate/personal.h"
#include "estimate/saga.h"
#include "estimate/sega.h"
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
  } catch (const ConfigError& error) {
    if (error.key() != "objective.batch") throw;  // which was not asked for
    throw ConfigError("objective.refresh_batch", error.reason());
  }
}

size_t BlockOf(const EstimatorConfig& config, const FiniteSum& f) {
  if (config.block >= 1 && static_cast<size_t>(config.block) <= f.dimension()) return static_cast<size_t>(config.block);
  throw ConfigError("objective.block", fmt::format("found {}, expected from 1 to the {} coordinates of the problem",
                                                   config.block, f.dimension()));
}

std::unique_ptr<Estimator> MakeCore(const EstimatorConfig& config, const Problem& problem, const Streams& streams) {
  const auto& f = problem.workers[streams.worker];
  if (f->personal() != nullptr) return MakePersonal(config, f, streams);
  if (config.name == "full") return std::make_unique<FullGradient>(f, streams, config.noise);
  if (config.name == "sega") return std::make_unique<Sega>(f, streams, config.noise, BlockOf(config, *f));
  std::unique_ptr<Sampling> sampling = MakeSampling(config, *f, streams.seed, streams.worker);
  if (config.name == "sgd") return std::make_unique<Sgd>(f, std::move(sampling), streams, config.noise);
  if (config.name == "saga") return std::make_unique<Saga>(f, std::move(sampling), streams, config.noise);
  if (config.name == "star")
    return std::make_unique<Anchored>(f, std::move(sampling), streams,
                                      KnownMinimiser(problem, "objective.estimator", "star"));
  if (config.name == "anchored")
    return std::make_unique<DriverAnchored>(f, std::move(sampling), streams, std::span<const double>(problem.start));
  if (config.name == "diff")
    return std::make_unique<Diff>(f, std::move(sampling), FreshOf(config, *f, streams), streams, config.refresh);
  const uint64_t period = AnchorPeriod(config, problem, streams.worker);
  if (config.name == "svrg") return std::make_unique<Svrg>(f, std::move(sampling), streams, period);
  if (config.name == "lsvrg")
    return std::make_unique<Lsvrg>(f, std::move(sampling), streams, period, config.coin == "common");
  throw Error("MakeCore: an estimator of the list that nothing makes");
}

}  // namespace

const std::vector<EstimatorInfo>& Estimators() {
  static const std::vector<EstimatorInfo> estimators = {
      {"full", "the gradient, from all samples", "gradient descent", false, true},
      {"sgd", "of a batch drawn by objective.sampling", "Robbins & Monro 1951", true, true},
      {"star", "sgd with the noise at the solution taken off; for theory", "Gorbunov et al. 2020, arXiv 1905.11261"},
      {"svrg", "sgd with the noise at an anchor taken off, which moves every anchor_period rounds",
       "Johnson & Zhang 2013"},
      {"lsvrg", "svrg whose anchor moves by a coin, once in anchor_period rounds",
       "Kovalev et al. 2020, arXiv 1901.08689"},
      {"saga",
       "sgd with the noise taken off that a table of the samples' last gradients knows, m d numbers; with sampling "
       "nice: "
       "JacSketch of tau-nice sketches; with noise: N-SAGA",
       "Defazio et al. 2014, arXiv 1407.0202; Gower et al. 2018, arXiv 1805.02632", true, true},
      {"sega",
       "a guess of the gradient, of which each round corrects a block of objective.block coordinates; with noise: "
       "N-SEGA",
       "Hanzely et al. 2018, arXiv 1809.03054", false, true},
      {"anchored", "svrg whose anchor the local rounds move, to the workers' mean (local.shift: anchor)",
       "Gorbunov et al. 2021, arXiv 2011.02828"},
      {"diff", "the last estimate and the change of a batch's gradient; all samples in marina's dense rounds",
       "Gorbunov et al. 2021, arXiv 2102.07845"},
  };
  return estimators;
}

const EstimatorInfo& FindEstimator(std::string_view name) {
  std::vector<std::string_view> names;
  for (const EstimatorInfo& info : Estimators()) {
    if (info.name == name) return info;
    names.push_back(info.name);
  }
  throw ConfigError("objective.estimator",
                    fmt::format("'{}' is unknown; expected one of {}", name, fmt::join(names, ", ")));
}

uint64_t AnchorPeriod(const EstimatorConfig& config, const Problem& problem, size_t worker) {
  if (config.anchor_period > 0) return static_cast<uint64_t>(config.anchor_period);
  return problem.workers[config.coin == "common" ? 0 : worker]->samples();
}

double RoundsPerPass(const EstimatorConfig& config, const FiniteSum& f) {
  if (!FindEstimator(config.name).draws_samples) return 1;
  const auto sampling = MakeSampling(config, f, 0, 0);
  return static_cast<double>(f.samples()) / sampling->size();
}

std::unique_ptr<Estimator> MakeEstimator(const EstimatorConfig& config, const std::shared_ptr<const Problem>& problem,
                                         size_t worker, uint64_t seed) {
  if (!FindEstimator(config.name).takes_noise && !config.noise.is_none())
    throw ConfigError("objective.noise",
                      fmt::format("found {}, expected none because {} takes each sample at two points, where a "
                                  "sample's noise cancels, or estimator full, sgd, saga or sega",
                                  config.noise.text(), config.name));
  std::unique_ptr<Estimator> estimator = MakeCore(config, *problem, {seed, worker});
  if (config.star_shift) {
    std::vector<double> h(problem->dimension());
    problem->workers[worker]->Gradient(KnownMinimiser(*problem, "objective.star_shift", "true"), h);
    estimator = MakeShift(std::move(estimator), std::move(h));
  }
  return estimator;
}

}  // namespace gradwire
