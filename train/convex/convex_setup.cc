// SPDX-License-Identifier: Apache-2.0
#include "train/convex/convex_setup.h"

#include <fmt/format.h>

namespace gradwire::train {
namespace {

Problem BuildQuadratic(const Config& config, size_t workers) {
  const std::string& data = config.objective.data;
  Problem problem = data == "q3" ? Q3() : data == "qh" ? QH() : QK();
  if (problem.workers.size() != workers)
    throw ErrorAt(config, "run.nproc",
                  fmt::format("found {} ranks, expected {}, one for each worker of {}", workers, problem.workers.size(),
                              config.objective.data));
  return problem;
}

Problem BuildLogistic(const Config& config, size_t workers) {
  const ObjectiveConfig& o = config.objective;
  const Regulariser regulariser = o.nonconvex ? Regulariser::kNonConvex : Regulariser::kRidge;
  double lambda = o.lambda;
  std::shared_ptr<const LabelledRows> rows;
  try {
    if (o.data == "lr" || o.data == "lr2") {
      rows = LRSamples(o.data == "lr" ? 1 : 3);
      if (lambda == 0) lambda = o.data == "lr" ? 0.1 : 0.01;
    } else {
      rows = ReadLibsvm(o.data, o.zero_based ? 0 : 1);
    }
    return LogisticRegression(rows, workers, lambda, regulariser);
  } catch (const ConfigError& error) {
    throw ErrorAt(config, "objective.data", error.what());
  }
}

Prox ProxOf(const ObjectiveConfig& objective) {
  if (objective.prox == "none") return {};
  return {objective.prox == "l1" ? Prox::Kind::kL1 : Prox::Kind::kL2, objective.prox_lambda};
}

}  // namespace

ConvexSetup PrepareConvex(const Config& config, size_t workers) {
  const bool quadratic = config.objective.name == "quadratic";
  Problem problem = quadratic ? BuildQuadratic(config, workers) : BuildLogistic(config, workers);
  const Prox prox = ProxOf(config.objective);
  if (prox && problem.minimiser) problem.minimiser = Minimise(problem, prox);
  return {std::make_shared<const Problem>(std::move(problem)), prox};
}

}  // namespace gradwire::train
