// SPDX-License-Identifier: Apache-2.0
#include "theory/smoothness.h"

#include <string>

#include "gradwire/error.h"

namespace gradwire {

Smoothness SmoothnessOf(const Problem& problem) {
  Smoothness smoothness{{}, problem.strong_convexity};
  for (const auto& worker : problem.workers) {
    smoothness.matrices.emplace_back(problem.dimension() * problem.dimension());
    worker->AddCurvature(1, smoothness.matrices.back());
  }
  return smoothness;
}

void TakeSmoothness(const Problem& problem, ExchangeParts& parts) {
  const auto take = [&](const char* key, std::shared_ptr<const Compressor>& compressor) {
    if (!compressor || !NeedsSmoothness(*compressor)) return;
    try {
      compressor = WithSmoothness(*compressor, SmoothnessOf(problem));
    } catch (const ConfigError& error) {
      throw ConfigError(key, error.what());
    }
  };
  take("comm.compressor", parts.compressor);
  take("comm.learner", parts.learner);
}

}  // namespace gradwire
