// SPDX-License-Identifier: Apache-2.0
#include "train/convex/convex_setup.h"

#include <fmt/format.h>

#include "problem/named.h"

namespace gradwire::train {
namespace {

Problem BuildLinear(const ObjectiveConfig& o, size_t workers) {
  const Loss& loss = *FindLoss(o.name);
  const Regulariser regulariser = o.nonconvex ? Regulariser::kNonConvex : Regulariser::kRidge;
  const NamedSamples* samples = FindSamples(o.data);
  const double ridge = samples != nullptr && loss.needs_ridge ? samples->ridge : 0;
  const auto rows = samples != nullptr ? samples->make()
                                       : ReadLibsvm(o.data, o.zero_based ? 0 : 1,
                                                    loss.has_classes ? Targets::kClasses : Targets::kNumbers);
  return LinearProblem(rows, workers, loss, o.lambda == 0 ? ridge : o.lambda, regulariser);
}

Problem Build(const Config& config, size_t workers) {
  const ObjectiveConfig& o = config.objective;
  const NamedProblem* named = FindProblem(o.name, o.data);
  Problem problem;
  try {
    problem = named != nullptr ? named->make(workers) : BuildLinear(o, workers);
  } catch (const ConfigError& error) {
    throw ErrorAt(config, "objective.data", error.what());
  }
  if (problem.workers.size() != workers)
    throw ErrorAt(
        config, "run.nproc",
        fmt::format("found {} ranks, expected {}, one for each worker of {}", workers, problem.workers.size(), o.data));
  return problem;
}

Prox ProxOf(const ObjectiveConfig& objective) {
  if (objective.prox == "none") return {};
  return {objective.prox == "l1" ? Prox::Kind::kL1 : Prox::Kind::kL2, objective.prox_lambda};
}

}  // namespace

ConvexSetup PrepareConvex(const Config& config, size_t workers) {
  Problem problem = Build(config, workers);
  const Prox prox = ProxOf(config.objective);
  if (prox && problem.minimiser)
    problem.minimiser =
        problem.strong_convexity > 0 ? std::optional(Minimise(problem, prox)) : std::nullopt;  // of a non-convex f
  return {std::make_shared<const Problem>(std::move(problem)), prox};
}

}  // namespace gradwire::train
