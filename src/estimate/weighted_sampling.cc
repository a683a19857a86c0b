// SPDX-License-Identifier: Apache-2.0
#include "estimate/weighted_sampling.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

/// Draws one of some with given weights.
class Lottery {
 public:
  explicit Lottery(std::span<const double> weights) {
    double sum = 0;
    for (const double weight : weights) cumulative_.push_back(sum += weight);
  }
  size_t Draw(Philox& random) const {
    const double at = random.Uniform() * cumulative_.back();
    return static_cast<size_t>(std::upper_bound(cumulative_.begin(), cumulative_.end() - 1, at) - cumulative_.begin());
  }
  double Probability(size_t i) const {
    return (cumulative_[i] - (i > 0 ? cumulative_[i - 1] : 0)) / cumulative_.back();
  }
  size_t size() const { return cumulative_.size(); }

 private:
  std::vector<double> cumulative_;
};

/// b independent draws with replacement, sample l with its share of the weights.
class Importance : public Sampling {
 public:
  Importance(std::span<const double> weights, size_t batch) : lottery_(weights), batch_(batch) {}
  std::vector<Draw> Next(Philox& random, uint64_t) const override {
    std::vector<Draw> draws(batch_);
    for (Draw& draw : draws) {
      const size_t found = lottery_.Draw(random);
      const double expected = static_cast<double>(batch_ * lottery_.size()) * lottery_.Probability(found);
      draw = {static_cast<uint32_t>(found), 1 / expected};
    }
    return draws;
  }
  double size() const override { return static_cast<double>(batch_); }
  double Probability(size_t sample) const override { return OfDraws(lottery_.Probability(sample), batch_); }
  double Spread(size_t sample) const override {
    return 1 / (static_cast<double>(lottery_.size()) * lottery_.Probability(sample));
  }

 private:
  Lottery lottery_;
  size_t batch_;
};

/// Each sample by itself, which may be none at all.
class Independent : public Sampling {
 public:
  explicit Independent(std::vector<double> probabilities) : p_(std::move(probabilities)) {}
  std::vector<Draw> Next(Philox& random, uint64_t) const override {
    std::vector<Draw> draws;
    for (uint32_t l = 0; l < p_.size(); ++l)
      if (random.Uniform() < p_[l]) draws.push_back({l, 1 / (m() * p_[l])});
    return draws;
  }
  double size() const override { return std::accumulate(p_.begin(), p_.end(), 0.0); }
  double Probability(size_t sample) const override { return p_[sample]; }
  double Spread(size_t sample) const override { return 1 + (1 - p_[sample]) / (m() * p_[sample]); }

 private:
  double m() const { return static_cast<double>(p_.size()); }

  std::vector<double> p_;
};

/// One of the blocks of b samples that follow each other; the last one may be smaller.
class Partition : public Sampling {
 public:
  Partition(size_t samples, size_t batch, std::span<const double> weights)
      : samples_(samples), batch_(batch), lottery_(weights) {}
  std::vector<Draw> Next(Philox& random, uint64_t) const override {
    const size_t block = lottery_.Draw(random), begin = block * batch_;
    std::vector<Draw> draws(SizeOf(block));
    for (size_t i = 0; i < draws.size(); ++i)
      draws[i] = {static_cast<uint32_t>(begin + i), 1 / (m() * lottery_.Probability(block))};
    return draws;
  }
  double size() const override {
    double mean = 0;
    for (size_t block = 0; block < lottery_.size(); ++block)
      mean += lottery_.Probability(block) * static_cast<double>(SizeOf(block));
    return mean;
  }
  double Probability(size_t sample) const override { return lottery_.Probability(sample / batch_); }
  double Spread(size_t sample) const override {
    return static_cast<double>(SizeOf(sample / batch_)) / (m() * Probability(sample));
  }

 private:
  double m() const { return static_cast<double>(samples_); }
  size_t SizeOf(size_t block) const { return std::min(batch_, samples_ - block * batch_); }

  size_t samples_, batch_;
  Lottery lottery_;
};

/// The numbers of objective.probabilities, repeated to as many as there are of `what`.
std::vector<double> Repeated(const EstimatorConfig& config, size_t count, std::string_view what) {
  const std::vector<double>& given = config.probabilities;
  if (given.size() > count)
    throw ConfigError("objective.probabilities", fmt::format("found {} numbers, expected at most the {} {} of a worker",
                                                             given.size(), count, what));
  std::vector<double> all(count);
  for (size_t i = 0; i < count; ++i) all[i] = given[i % given.size()];
  return all;
}

}  // namespace

std::unique_ptr<Sampling> MakeImportance(const EstimatorConfig& config, const FiniteSum& f) {
  std::vector<double> weights(f.samples());
  for (size_t l = 0; l < weights.size(); ++l) weights[l] = f.SampleSmoothness(l);
  if (!config.probabilities.empty()) weights = Repeated(config, f.samples(), "samples");
  return std::make_unique<Importance>(weights, static_cast<size_t>(config.batch));
}

std::unique_ptr<Sampling> MakeIndependent(const EstimatorConfig& config, const FiniteSum& f) {
  if (!config.probabilities.empty()) return std::make_unique<Independent>(Repeated(config, f.samples(), "samples"));
  const size_t m = f.samples();
  const double p = static_cast<double>(BatchWithin(config, f)) / static_cast<double>(m);
  return std::make_unique<Independent>(std::vector<double>(m, p));
}

std::unique_ptr<Sampling> MakePartition(const EstimatorConfig& config, const FiniteSum& f) {
  const size_t batch = BatchWithin(config, f), blocks = (f.samples() + batch - 1) / batch;
  const std::vector<double> weights =
      config.probabilities.empty() ? std::vector<double>(blocks, 1.0) : Repeated(config, blocks, "blocks of samples");
  return std::make_unique<Partition>(f.samples(), batch, weights);
}

}  // namespace gradwire
