// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "estimate/estimator.h"

namespace gradwire::testing {

/// What a round may draw, and how likely that is.
struct Outcome {
  double probability = 0;
  std::vector<Draw> draws;
};

/// The numbers of `given`, repeated; all 1 where there are none.
inline std::vector<double> Cycled(const std::vector<double>& given, size_t count) {
  std::vector<double> all(count, 1.0);
  for (size_t i = 0; i < count && !given.empty(); ++i) all[i] = given[i % given.size()];
  return all;
}

inline std::vector<double> Normalised(std::vector<double> weights) {
  double sum = 0;
  for (const double weight : weights) sum += weight;
  for (double& weight : weights) weight /= sum;
  return weights;
}

/// Every subset of the samples with its probability, and 1/(m p_l) as weights.
inline std::vector<Outcome> Subsets(const std::vector<double>& p) {
  std::vector<Outcome> outcomes;
  const auto m = static_cast<double>(p.size());
  for (uint32_t set = 0; set < 1u << p.size(); ++set) {
    Outcome outcome{1, {}};
    for (uint32_t l = 0; l < p.size(); ++l) {
      const bool is_in = set >> l & 1;
      outcome.probability *= is_in ? p[l] : 1 - p[l];
      if (is_in) outcome.draws.push_back({l, 1 / (m * p[l])});
    }
    outcomes.push_back(outcome);
  }
  return outcomes;
}

/// All outcomes of a sampling on f, from what it says of itself alone: batch 1 of uniform and importance.
inline std::vector<Outcome> Outcomes(const EstimatorConfig& config, const FiniteSum& f) {
  const size_t m = f.samples(), b = static_cast<size_t>(config.batch);
  const auto md = static_cast<double>(m), bd = static_cast<double>(b);
  std::vector<Outcome> outcomes;
  if (config.sampling == "independent")
    return Subsets(config.probabilities.empty() ? std::vector<double>(m, bd / md) : Cycled(config.probabilities, m));
  if (config.sampling == "nice") {  // of the subsets, those of b samples
    for (Outcome& set : Subsets(std::vector<double>(m, 0.5)))
      if (set.draws.size() == b) outcomes.push_back(set);
    for (Outcome& set : outcomes) {
      set.probability = 1 / static_cast<double>(outcomes.size());
      for (Draw& draw : set.draws) draw.weight = 1 / bd;
    }
    return outcomes;
  }
  std::vector<double> weights = Cycled(config.probabilities, config.sampling == "partition" ? (m + b - 1) / b : m);
  if (config.sampling == "importance" && config.probabilities.empty())
    for (size_t l = 0; l < m; ++l) weights[l] = f.SampleSmoothness(l);
  const std::vector<double> p = Normalised(weights);
  const size_t each = config.sampling == "partition" ? b : 1;
  for (size_t block = 0; block < p.size(); ++block) {
    Outcome outcome{p[block], {}};
    for (size_t l = block * each; l < std::min(m, (block + 1) * each); ++l)
      outcome.draws.push_back({static_cast<uint32_t>(l), 1 / (md * p[block])});
    outcomes.push_back(outcome);
  }
  return outcomes;
}

}  // namespace gradwire::testing
