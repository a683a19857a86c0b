// SPDX-License-Identifier: Apache-2.0
#include "gradwire/participation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "base/philox.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

double SumOfWeights(const std::vector<Participation::Set>& sets) {
  double sum = 0;
  for (const Participation::Set& set : sets) sum += set.weight;
  return sum;
}

bool Has(const Participation::Set& set, size_t worker) { return std::ranges::count(set.workers, worker) > 0; }

}  // namespace

size_t Participation::CountOf(size_t workers) const {
  if (is_all()) return workers;
  return std::max(size_t{1}, static_cast<size_t>(std::lround(share * static_cast<double>(workers))));
}

double Participation::Probability(size_t worker) const {
  if (kind == Kind::kIndependent) return probabilities[worker % probabilities.size()];
  double with = 0;
  for (const Set& set : sets) with += Has(set, worker) ? set.weight : 0;
  return with / SumOfWeights(sets);
}

double Participation::MeanCount(size_t workers) const {
  if (kind != Kind::kIndependent && kind != Kind::kSets) return static_cast<double>(CountOf(workers));
  double mean = 0;
  for (size_t worker = 0; worker < workers; ++worker) mean += Probability(worker);
  return mean;
}

double Participation::TimesDrawn(double weight, size_t workers) const {
  if (kind != Kind::kIid) return weight > 0 ? 1 : 0;
  return std::round(weight * static_cast<double>(CountOf(workers)) / static_cast<double>(workers));
}

void Participation::Check(size_t workers) const {
  const auto refuse = [&](const std::string& why) {
    throw ConfigError("comm.participation", fmt::format("{}: {} of {} workers", text(), why, workers));
  };
  if (kind == Kind::kIndependent && probabilities.size() > workers)
    refuse(fmt::format("found {} probabilities, expected at most one for each", probabilities.size()));
  if (kind != Kind::kSets) return;
  for (const Set& set : sets)
    if (const uint32_t last = *std::ranges::max_element(set.workers); last >= workers)
      refuse(fmt::format("found worker {}, expected numbers from 0", last));
  for (size_t worker = 0; worker < workers; ++worker)
    if (Probability(worker) == 0) refuse(fmt::format("worker {} is in no set, expected each in at least one", worker));
}

std::vector<double> Participation::Weights(uint64_t seed, uint64_t step, size_t workers) const {
  std::vector<double> weights(workers, 1.0);
  std::vector<size_t> order(workers);
  if (!is_all()) Draw(seed, step, weights, order);
  return weights;
}

void Participation::Draw(uint64_t seed, uint64_t step, std::span<double> weights, std::span<size_t> order) const {
  Philox random(seed, Purpose::kParticipation, 0, step);
  std::ranges::fill(weights, 0.0);
  if (kind == Kind::kIndependent) {
    for (size_t i = 0; i < weights.size(); ++i)
      if (random.Uniform() < Probability(i)) weights[i] = 1 / Probability(i);
  } else if (kind == Kind::kSets) {
    const double at = random.Uniform() * SumOfWeights(sets);
    size_t drawn = 0;
    for (double up_to = sets[0].weight; drawn + 1 < sets.size() && up_to <= at; up_to += sets[drawn].weight) ++drawn;
    for (const uint32_t worker : sets[drawn].workers) weights[worker] = 1 / Probability(worker);
  } else {
    DrawCounted(random, weights, order);
  }
}

void Participation::DrawCounted(Philox& random, std::span<double> weights, std::span<size_t> order) const {
  const size_t workers = weights.size(), r = CountOf(workers);
  const double weight = static_cast<double>(workers) / static_cast<double>(r);
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = 0; i < r; ++i) {
    const size_t first = kind == Kind::kNice ? i : 0;  // the first i of `order` are drawn already
    const size_t drawn = first + random.Below(static_cast<uint32_t>(workers - first));
    weights[order[drawn]] += weight;
    if (kind == Kind::kNice) std::swap(order[i], order[drawn]);
  }
}

}  // namespace gradwire
