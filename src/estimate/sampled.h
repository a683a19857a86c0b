// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "estimate/estimator.h"
#include "estimate/sampling.h"

namespace gradwire {

/// The key of all random bits that one worker draws.
struct Streams {
  uint64_t seed = 0;
  uint64_t worker = 0;
};

/// An estimator that works on the samples of one worker: what all below have in common.
class OverSamples : public Estimator {
 public:
  OverSamples(std::shared_ptr<const FiniteSum> f, Streams streams, const Noise& noise = {})
      : f_(std::move(f)), streams_(streams), noise_(noise) {}
  uint64_t evaluations() const override { return evaluations_; }
  Memory memory() override { return {{}, &evaluations_}; }

 protected:
  size_t samples() const { return f_->samples(); }
  size_t dimension() const { return f_->dimension(); }
  bool is_exact() const { return noise_.is_none(); }
  uint64_t seed() const { return streams_.seed; }
  /// The choices of a step are drawn from it.
  Philox BitsOf(uint64_t step) const { return Philox(streams_.seed, Purpose::kSample, streams_.worker, step); }

  // Exact, and in one call.
  void Full(std::span<const double> x, std::span<double> out) {
    f_->Gradient(x, out);
    evaluations_ += f_->samples();
  }
  /// So many times over the samples.
  void CountPasses(uint64_t passes) { evaluations_ += passes * f_->samples(); }
  void Add(std::span<const Draw> draws, std::span<const double> x, std::span<double> out) {
    f_->AddGradient(draws, x, out);
    evaluations_ += draws.size();
  }

  // With the oracle's noise, which is that of the step and the sample at whatever point.
  void All(uint64_t step, std::span<const double> x, std::span<double> out) {
    Full(x, out);
    AddNoise(step, out);
  }
  void AddNoise(uint64_t step, std::span<double> out) const { noise_.AddTo(out, NoiseOf(step, 0)); }
  void Sample(uint64_t step, uint32_t sample, std::span<const double> x, std::span<double> out) {
    const Draw draw{sample, 1};
    std::fill(out.begin(), out.end(), 0.0);
    Add({&draw, 1}, x, out);
    noise_.AddTo(out, NoiseOf(step, sample + uint64_t{1}));
  }

  /// The same samples with the sign changed.
  static std::vector<Draw> Minus(std::span<const Draw> draws) {
    std::vector<Draw> minus(draws.begin(), draws.end());
    for (Draw& draw : minus) draw.weight = -draw.weight;
    return minus;
  }

 private:
  /// Of samples, or, part 0, of all at once. Workers' numbers have 32 bits; 0 above them is the stream of BitsOf.
  Philox NoiseOf(uint64_t step, uint64_t part) const {
    return Philox(streams_.seed, Purpose::kSample, streams_.worker + ((part + 1) << 32), step);
  }

  std::shared_ptr<const FiniteSum> f_;
  Streams streams_;
  Noise noise_;
  uint64_t evaluations_ = 0;
};

/// grad f_i(x).
class FullGradient : public OverSamples {
 public:
  using OverSamples::OverSamples;
  Handle Next(const Round& round) const override { return {{}, false, round.draw()}; }
  std::optional<std::vector<Draw>> Samples(const Round&) const override { return std::nullopt; }
  void Estimate(std::span<const double> x, const Handle& handle, std::span<double> out) override {
    All(handle.step, x, out);
  }
};

/// sum_k w_k grad f_k(x).
class Sgd : public OverSamples {
 public:
  Sgd(std::shared_ptr<const FiniteSum> f, std::unique_ptr<Sampling> sampling, Streams streams, const Noise& noise = {})
      : OverSamples(std::move(f), streams, noise), sampling_(std::move(sampling)) {}

  Handle Next(const Round& round) const override {
    Philox random = BitsOf(round.draw());
    Handle handle{sampling_->Next(random, round.draw()), false, round.draw()};
    handle.refresh = Refreshes(round, random);
    return handle;
  }
  void Estimate(std::span<const double> x, const Handle& handle, std::span<double> out) override {
    std::fill(out.begin(), out.end(), 0.0);
    is_exact() ? Add(handle.draws, x, out) : AddNoisy(handle, x, out);
  }

 protected:
  virtual bool Refreshes(const Round&, Philox&) const { return false; }

 private:
  void AddNoisy(const Handle& handle, std::span<const double> x, std::span<double> out) {
    std::vector<double> gradient(x.size());
    for (const Draw& draw : handle.draws) {
      Sample(handle.step, draw.sample, x, gradient);
      for (size_t j = 0; j < x.size(); ++j) out[j] += draw.weight * gradient[j];
    }
  }

  std::unique_ptr<Sampling> sampling_;
};

}  // namespace gradwire
