// SPDX-License-Identifier: Apache-2.0
#include "analysis/ensemble.h"

#include <cmath>

#include <fmt/format.h>

#include "base/thread_pool.h"
#include "gradwire/error.h"

namespace gradwire {

const char* NameOf(Quantity quantity) {
  switch (quantity) {
    case Quantity::kMean: return "mean";
    case Quantity::kVariance: return "variance";
    case Quantity::kSecond: return "second moment";
    case Quantity::kLoss: return "loss";
  }
  return "";
}

Ensemble::Ensemble(const Process& process, std::vector<double> curvature, const EnsembleOptions& options)
    : curvature_(std::move(curvature)), blocks_(kBlocks) {
  if (options.paths < 2 * kBlocks)
    throw ConfigError("paths", fmt::format("found {}, expected {} or more: standard errors are those of {} groups",
                                           options.paths, 2 * kBlocks, kBlocks));
  for (const size_t step : options.recorded) times_.push_back(static_cast<double>(step) * process.step_time());
  ThreadPool& pool = ThreadPool::OfProcess();
  pool.Grow(options.threads);
  Lane own;
  pool.Share(kBlocks, options.threads, own, [&](size_t block, Lane& lane) { Run(process, options, block, lane); });
  all_.sums.resize(blocks_[0].sums.size());
  for (const Block& block : blocks_) {  // in order, so that threads change no bit
    all_.paths += block.paths;
    for (size_t i = 0; i < all_.sums.size(); ++i) all_.sums[i] += block.sums[i];
  }
}

void Ensemble::Run(const Process& process, const EnsembleOptions& options, size_t block, Lane& lane) {
  const size_t first = options.paths * block / kBlocks, end = options.paths * (block + 1) / kBlocks;
  blocks_[block].paths = end - first;
  blocks_[block].sums.resize(times_.size() * 2 * curvature_.size());
  for (size_t path = first; path < end; ++path) RunPath(process, options, path, blocks_[block], lane);
}

void Ensemble::RunPath(const Process& process, const EnsembleOptions& options, size_t path, Block& block, Lane& lane) {
  const Scratch::Scope scope(lane.scratch);
  const std::span<double> state = lane.scratch.Make<double>(process.size());
  PathContext context{NoiseStream(Philox(options.seed, Purpose::kNoise, path, options.stream)), options.seed,
                      static_cast<uint32_t>(path), lane};
  process.Begin(state);
  double* sums = block.sums.data();
  for (size_t k = 0, next = 0; next < options.recorded.size(); ++k) {
    for (; next < options.recorded.size() && options.recorded[next] == k; ++next)
      for (size_t j = 0; j < curvature_.size(); ++j, sums += 2) sums[0] += state[j], sums[1] += state[j] * state[j];
    if (next < options.recorded.size()) process.Step(k, context, state);
  }
}

double Ensemble::Value(const Block& block, size_t time, Quantity quantity) const {
  const size_t d = curvature_.size();
  const double paths = static_cast<double>(block.paths);
  const double* sums = block.sums.data() + time * 2 * d;
  double value = 0;
  for (size_t j = 0; j < d; ++j, sums += 2) {
    const double mean = sums[0] / paths, second = sums[1] / paths;
    switch (quantity) {
      case Quantity::kMean: value += mean / static_cast<double>(d); break;
      case Quantity::kVariance: value += (second - mean * mean) * paths / (paths - 1) / static_cast<double>(d); break;
      case Quantity::kSecond: value += second; break;
      case Quantity::kLoss: value += curvature_[j] * second / 2; break;
    }
  }
  return value;
}

Estimate Ensemble::Average(size_t first, size_t last, Quantity quantity) const {
  const auto mean = [&](const Block& block) {
    double sum = 0;
    for (size_t time = first; time <= last; ++time) sum += Value(block, time, quantity);
    return sum / static_cast<double>(last - first + 1);
  };
  double sum = 0, squares = 0;
  for (const Block& block : blocks_) {
    const double value = mean(block);
    sum += value, squares += value * value;
  }
  const double of_blocks = sum / kBlocks;
  return {mean(all_), std::sqrt(std::max(0.0, squares / kBlocks - of_blocks * of_blocks) / (kBlocks - 1))};
}

}  // namespace gradwire
