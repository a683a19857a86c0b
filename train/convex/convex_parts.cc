// SPDX-License-Identifier: Apache-2.0
#include "train/convex/convex_parts.h"

#include <algorithm>

#include "gradwire/method.h"
#include "theory/smoothness.h"
#include "theory/theory.h"
#include "train/config/modes.h"

namespace gradwire::train {
namespace {

/// What the configuration leaves to the method is the method's.
EstimatorConfig EstimatorOf(const Config& config) {
  const ObjectiveConfig& o = config.objective;
  EstimatorConfig estimator = UsualEstimator(FindMethod(config.comm.method));
  if (o.estimator != "auto") estimator.name = o.estimator;
  if (o.coin != "auto") estimator.coin = o.coin;
  estimator.star_shift = o.star_shift.value_or(estimator.star_shift);
  estimator.sampling = o.sampling, estimator.batch = o.batch, estimator.anchor_period = o.anchor_period;
  estimator.probabilities = o.probabilities, estimator.block = o.block, estimator.noise = o.noise;
  estimator.refresh_batch = o.refresh_batch;
  estimator.inner = ParseInner(o.inner);
  estimator.inner.step = o.inner_step, estimator.inner.warm = o.inner_start == "warm";
  return estimator;
}

}  // namespace

ConvexParts PartsOf(const Config& config, const ConvexSetup& setup) {
  ConvexParts parts{MakeParts(CommOf(config), config.run.seed), EstimatorOf(config)};
  parts.exchange.prox = setup.prox;
  Placed(config, [&] { TakeSmoothness(*setup.problem, parts.exchange); });
  parts.exchange.count_as = FindBitRule(config.log.bits_paper);
  if (config.optimizer.lr.is_theory)
    Placed(config, [&] {
      TakeTheoryCoefficients(FindMethod(config.comm.method), config.comm, *setup.problem, parts.estimator,
                             parts.exchange);
    });
  ShareCoin(*setup.problem, config.comm.p == "auto", parts.estimator, parts.exchange);
  return parts;
}

int64_t StepsPerEpoch(const EstimatorConfig& estimator, const Problem& problem) {
  constexpr double kRounding = 1e-9;  // of batches' mean size
  const double rounds = RoundsPerPass(estimator, *problem.workers[0]);
  return std::max(int64_t{1}, static_cast<int64_t>(rounds * (1 + kRounding)));
}

double StepSizeOf(const Config& config, const ConvexSetup& setup, const ConvexParts& parts) {
  if (ModeOf(config).has_hessians) return 1;
  if (!config.optimizer.lr.is_theory) return config.optimizer.lr;
  return Placed(config, [&] {
    return TheoryStep(FindMethod(config.comm.method), parts.exchange, *setup.problem, parts.estimator);
  });
}

}  // namespace gradwire::train
