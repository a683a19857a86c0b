// SPDX-License-Identifier: Apache-2.0
#include "estimate/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "estimate/weighted_sampling.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

/// b independent draws with replacement, each uniform.
class Uniform : public Sampling {
 public:
  Uniform(size_t samples, size_t batch) : samples_(samples), batch_(batch) {}
  std::vector<Draw> Next(Philox& random, uint64_t) const override {
    std::vector<Draw> draws(batch_, {0, 1 / static_cast<double>(batch_)});
    for (Draw& draw : draws) draw.sample = random.Below(static_cast<uint32_t>(samples_));
    return draws;
  }
  double size() const override { return static_cast<double>(batch_); }
  double Probability(size_t) const override { return OfDraws(1 / static_cast<double>(samples_), batch_); }
  double Spread(size_t) const override { return 1; }

 private:
  size_t samples_, batch_;
};

/// tau-nice: a uniform subset of b samples (Floyd's algorithm: Bentley and Floyd, CACM 1987), in increasing order.
class Nice : public Sampling {
 public:
  Nice(size_t samples, size_t batch) : samples_(samples), batch_(batch) {}
  std::vector<Draw> Next(Philox& random, uint64_t) const override {
    std::vector<uint32_t> subset;
    for (auto top = static_cast<uint32_t>(samples_ - batch_); top < samples_; ++top) {
      const uint32_t pick = random.Below(top + 1);
      subset.push_back(std::find(subset.begin(), subset.end(), pick) == subset.end() ? pick : top);
    }
    std::sort(subset.begin(), subset.end());
    std::vector<Draw> draws;
    for (const uint32_t sample : subset) draws.push_back({sample, 1 / static_cast<double>(batch_)});
    return draws;
  }
  double size() const override { return static_cast<double>(batch_); }
  double Probability(size_t) const override { return static_cast<double>(batch_) / static_cast<double>(samples_); }
  double Spread(size_t) const override { return 1; }

 private:
  size_t samples_, batch_;
};

/// The samples in the order of random permutations, one after another, b at a time: drawn anew for each pass
/// (reshuffling) or once. A batch may reach over the end of a pass.
class Reshuffled : public Sampling {
 public:
  Reshuffled(size_t samples, size_t batch, bool once, uint64_t seed, uint64_t worker)
      : batch_(batch), once_(once), seed_(seed), worker_(worker), order_(samples) {
    Shuffle(0);
  }
  std::vector<Draw> Next(Philox&, uint64_t step) const override {
    std::vector<Draw> draws(batch_, {0, 1 / static_cast<double>(batch_)});
    for (size_t i = 0; i < batch_; ++i) {
      const uint64_t at = step * batch_ + i, pass = at / order_.size();
      if (pass != pass_ && !once_) Shuffle(pass);
      draws[i].sample = order_[at % order_.size()];
    }
    return draws;
  }
  double size() const override { return static_cast<double>(batch_); }
  double Probability(size_t) const override {
    return std::min(1.0, static_cast<double>(batch_) / static_cast<double>(order_.size()));
  }
  double Spread(size_t) const override { return 1; }

 private:
  /// Fisher and Yates.
  void Shuffle(uint64_t pass) const {
    pass_ = pass;
    std::iota(order_.begin(), order_.end(), 0u);
    Philox random(seed_, Purpose::kShuffle, worker_, pass);
    for (auto i = static_cast<uint32_t>(order_.size()); i > 1; --i) std::swap(order_[i - 1], order_[random.Below(i)]);
  }

  size_t batch_;
  bool once_;
  uint64_t seed_, worker_;
  mutable uint64_t pass_ = 0;
  mutable std::vector<uint32_t> order_;  // of pass_
};

}  // namespace

double OfDraws(double p, size_t b) { return 1 - std::pow(1 - p, static_cast<double>(b)); }

size_t BatchWithin(const EstimatorConfig& config, const FiniteSum& f) {
  const auto batch = static_cast<size_t>(config.batch);
  if (batch <= f.samples()) return batch;
  throw ConfigError("objective.batch", fmt::format("found {}, expected at most the {} samples of a worker, because "
                                                   "objective.sampling is {} (without replacement)",
                                                   batch, f.samples(), config.sampling));
}

std::unique_ptr<Sampling> MakeSampling(const EstimatorConfig& config, const FiniteSum& f, uint64_t seed,
                                       uint64_t worker) {
  const auto batch = static_cast<size_t>(config.batch);
  if (config.sampling == "uniform") return std::make_unique<Uniform>(f.samples(), batch);
  if (config.sampling == "importance") return MakeImportance(config, f);
  if (config.sampling == "nice") return std::make_unique<Nice>(f.samples(), BatchWithin(config, f));
  if (config.sampling == "independent") return MakeIndependent(config, f);
  if (config.sampling == "partition") return MakePartition(config, f);
  if (config.sampling == "reshuffle" || config.sampling == "shuffle_once")
    return std::make_unique<Reshuffled>(f.samples(), batch, config.sampling == "shuffle_once", seed, worker);
  throw ConfigError("objective.sampling",
                    fmt::format("'{}' is unknown; expected uniform, nice, importance, independent, partition, "
                                "reshuffle or shuffle_once",
                                config.sampling));
}

}  // namespace gradwire
