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
  explicit OverSamples(std::shared_ptr<const FiniteSum> f) : f_(std::move(f)) {}
  uint64_t evaluations() const override { return evaluations_; }
  Memory memory() override { return {{}, &evaluations_}; }

 protected:
  void Full(std::span<const double> x, std::span<double> out) {
    f_->Gradient(x, out);
    evaluations_ += f_->samples();
  }
  void Add(std::span<const Draw> draws, std::span<const double> x, std::span<double> out) {
    f_->AddGradient(draws, x, out);
    evaluations_ += draws.size();
  }
  /// The same samples with the sign changed.
  static std::vector<Draw> Minus(std::span<const Draw> draws) {
    std::vector<Draw> minus(draws.begin(), draws.end());
    for (Draw& draw : minus) draw.weight = -draw.weight;
    return minus;
  }

 private:
  std::shared_ptr<const FiniteSum> f_;
  uint64_t evaluations_ = 0;
};

/// grad f_i(x).
class FullGradient : public OverSamples {
 public:
  using OverSamples::OverSamples;
  Handle Next(const Round&) const override { return {}; }
  void Estimate(std::span<const double> x, const Handle&, std::span<double> out) override { Full(x, out); }
};

/// sum_k w_k grad f_k(x).
class Sgd : public OverSamples {
 public:
  Sgd(std::shared_ptr<const FiniteSum> f, std::unique_ptr<Sampling> sampling, Streams streams)
      : OverSamples(std::move(f)), sampling_(std::move(sampling)), streams_(streams) {}

  Handle Next(const Round& round) const override {
    Philox random = BitsOf(round);
    Handle handle{sampling_->Next(random, round.draw()), false};
    handle.refresh = Refreshes(round, random);
    return handle;
  }
  void Estimate(std::span<const double> x, const Handle& handle, std::span<double> out) override {
    std::fill(out.begin(), out.end(), 0.0);
    Add(handle.draws, x, out);
  }

 protected:
  virtual bool Refreshes(const Round&, Philox&) const { return false; }
  uint64_t seed() const { return streams_.seed; }
  Philox BitsOf(const Round& round) const {
    return Philox(streams_.seed, Purpose::kSample, streams_.worker, round.draw());
  }

 private:
  std::unique_ptr<Sampling> sampling_;
  Streams streams_;
};

}  // namespace gradwire
