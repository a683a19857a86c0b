// SPDX-License-Identifier: Apache-2.0
#include "train/convex/convex_setup.h"

#include <fmt/format.h>

#include "problem/named.h"
#include "problem/samples.h"

namespace gradwire::train {
namespace {

/// Samples by their name or from their file, as the objective wants them.
Samples SamplesOf(const ObjectiveConfig& o, size_t workers, std::vector<std::string>& notes) {
  const NamedSamples* named = FindSamples(o.data);
  const Loss* loss = FindLoss(o.name);
  Samples rows = named != nullptr
                     ? named->make()
                     : ReadLibsvm(o.data, o.zero_based ? 0 : 1,
                                  loss != nullptr && loss->has_classes ? Targets::kClasses : Targets::kNumbers);
  if (o.intercept) rows = WithIntercept(*rows);
  const size_t all = rows->rows(), rest = all % workers;
  if (!o.even || rest == 0 || rest == all) return rows;
  notes.push_back(fmt::format("objective.even: each of {} workers holds {} samples, and the last {} of {} are left out",
                              workers, all / workers, rest, all));
  return FirstOf(*rows, all - rest);
}

Problem BuildSampled(const ObjectiveConfig& o, size_t workers, std::vector<std::string>& notes) {
  const Loss* loss = FindLoss(o.name);
  const NamedSamples* named = FindSamples(o.data);
  const bool needs_ridge = loss == nullptr || loss->needs_ridge;
  const double lambda = o.lambda == 0 && named != nullptr && needs_ridge ? named->ridge : o.lambda;
  const Samples rows = SamplesOf(o, workers, notes);
  if (loss == nullptr) return SoftmaxProblem(rows, workers, o.sigma, lambda);
  return LinearProblem(rows, workers, *loss, lambda, o.nonconvex ? Regulariser::kNonConvex : Regulariser::kRidge);
}

Problem Build(const Config& config, size_t workers, std::vector<std::string>& notes) {
  const ObjectiveConfig& o = config.objective;
  const NamedProblem* named = FindProblem(o.name, o.data);
  Problem problem;
  try {
    problem = named != nullptr ? named->make(workers) : BuildSampled(o, workers, notes);
  } catch (const ConfigError& error) {
    throw ErrorAt(config, "objective.data", error.what());
  }
  if (problem.workers.size() != workers)
    throw ErrorAt(
        config, "run.nproc",
        fmt::format("found {} ranks, expected {}, one for each worker of {}", workers, problem.workers.size(), o.data));
  if (static_cast<size_t>(o.byzantine) >= workers)
    throw ErrorAt(
        config, "objective.byzantine",
        fmt::format("found {} of {} workers, expected fewer, so that somebody is honest", o.byzantine, workers));
  return problem;
}

Prox ProxOf(const ObjectiveConfig& objective) {
  if (objective.prox == "none") return {};
  return {objective.prox == "l1" ? Prox::Kind::kL1 : Prox::Kind::kL2, objective.prox_lambda};
}

}  // namespace

ConvexSetup PrepareConvex(const Config& config, size_t workers) {
  std::vector<std::string> notes;
  Problem problem = Build(config, workers, notes);
  const Prox prox = ProxOf(config.objective);
  if (prox && problem.minimiser)
    problem.minimiser =
        problem.strong_convexity > 0 ? std::optional(Minimise(problem, prox)) : std::nullopt;  // of a non-convex f
  return {std::make_shared<const Problem>(std::move(problem)), prox, std::move(notes)};
}

}  // namespace gradwire::train
