// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "gradwire/estimator.h"
#include "problem/filters.h"
#include "problem/sampling.h"

namespace gradwire {
namespace {

/// The key of the coin that all workers see; no worker has this number.
constexpr uint64_t kEveryone = std::numeric_limits<uint32_t>::max();

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
    Handle handle{sampling_->Next(random, round.step), false};
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
    return Philox(streams_.seed, Purpose::kSample, streams_.worker, round.step);
  }

 private:
  std::unique_ptr<Sampling> sampling_;
  Streams streams_;
};

/// sum_k w_k (grad f_k(x) - grad f_k(w)) + grad f_i(w) with an anchor w that never moves; at w = x* this is SGD-star.
class Anchored : public Sgd {
 public:
  Anchored(std::shared_ptr<const FiniteSum> f, std::unique_ptr<Sampling> sampling, Streams streams,
           std::span<const double> anchor)
      : Sgd(std::move(f), std::move(sampling), streams) {
    if (!anchor.empty()) Move(anchor);
  }
  void Estimate(std::span<const double> x, const Handle& handle, std::span<double> out) override {
    std::copy(full_.begin(), full_.end(), out.begin());
    Add(handle.draws, x, out);
    Add(Minus(handle.draws), anchor_, out);
  }
  Memory memory() override {
    Memory memory = Sgd::memory();
    memory.vectors = {&anchor_, &full_};
    return memory;
  }

 protected:
  bool has_anchor() const { return !anchor_.empty(); }
  const std::vector<double>& full() const { return full_; }
  void Move(std::span<const double> x) {
    anchor_.assign(x.begin(), x.end());
    full_.resize(x.size());
    Full(x, full_);
  }

 private:
  std::vector<double> anchor_, full_;
};

/// The anchor moves where the driver says so.
class Driven : public Anchored {
 public:
  using Anchored::Anchored;
  bool MoveAnchor(std::span<const double> x, std::span<double> out) override {
    Move(x);
    std::copy(full().begin(), full().end(), out.begin());
    return true;
  }
};

/// SVRG: the anchor moves to x every `period` rounds, before the estimate (Johnson and Zhang, NeurIPS 2013).
class Svrg : public Anchored {
 public:
  Svrg(std::shared_ptr<const FiniteSum> f, std::unique_ptr<Sampling> sampling, Streams streams, uint64_t period)
      : Anchored(std::move(f), std::move(sampling), streams, {}), period_(period) {}
  void Estimate(std::span<const double> x, const Handle& handle, std::span<double> out) override {
    if (handle.refresh || !has_anchor()) Move(x);
    Anchored::Estimate(x, handle, out);
  }

 protected:
  bool Refreshes(const Round& round, Philox&) const override { return round.step % period_ == 0; }

 private:
  uint64_t period_;
};

/// Loopless SVRG: the anchor moves to x with probability 1/period after the estimate, by the worker's own coin or by
/// one that all workers see (Kovalev, Horvath, Richtarik, ALT 2020, arXiv 1901.08689).
class Lsvrg : public Anchored {
 public:
  Lsvrg(std::shared_ptr<const FiniteSum> f, std::unique_ptr<Sampling> sampling, Streams streams, uint64_t period,
        bool common)
      : Anchored(std::move(f), std::move(sampling), streams, {}), period_(period), common_(common) {}
  void Estimate(std::span<const double> x, const Handle& handle, std::span<double> out) override {
    if (!has_anchor()) Move(x);
    Anchored::Estimate(x, handle, out);
    if (handle.refresh) Move(x);
  }

 protected:
  bool Refreshes(const Round& round, Philox& own) const override {
    Philox shared(seed(), Purpose::kSample, kEveryone, round.step);
    return (common_ ? shared : own).Uniform() * static_cast<double>(period_) < 1;
  }

 private:
  uint64_t period_;
  bool common_;
};

/// v + sum_k w_k (grad f_k(x) - grad f_k(y)) with the estimate v and the point y of the round before; now and then,
/// where the exchange has a dense round, grad f_i(x), or, online, its estimate from a larger batch (VR-MARINA, Gorbunov
/// et al. 2021, arXiv 2102.07845, algorithms 2 and 3).
class Diff : public Sgd {
 public:
  /// `fresh`: of the larger batch; null: all samples.
  Diff(std::shared_ptr<const FiniteSum> f, std::unique_ptr<Sampling> sampling, std::unique_ptr<Sampling> fresh,
       Streams streams, double p)
      : Sgd(std::move(f), std::move(sampling), streams), fresh_(std::move(fresh)), p_(p) {}
  Handle Next(const Round& round) const override {
    Handle handle = Sgd::Next(round);
    handle.refresh |= round.step == 0;
    if (!handle.refresh || !fresh_) return handle;
    Philox random = BitsOf(round);
    handle.draws = fresh_->Next(random, round.step);
    return handle;
  }
  void Estimate(std::span<const double> x, const Handle& handle, std::span<double> out) override {
    if (handle.refresh || v_.empty()) {
      v_.assign(x.size(), 0.0);
      fresh_ ? Add(handle.draws, x, v_) : Full(x, v_);
    } else {
      Add(handle.draws, x, v_);
      Add(Minus(handle.draws), y_, v_);
    }
    y_.assign(x.begin(), x.end());
    std::copy(v_.begin(), v_.end(), out.begin());
  }
  Memory memory() override {
    Memory memory = Sgd::memory();
    memory.vectors = {&v_, &y_};
    return memory;
  }

 protected:
  bool Refreshes(const Round& round, Philox&) const override { return SharedCoin(seed(), round.step, p_); }

 private:
  std::unique_ptr<Sampling> fresh_;
  double p_;
  std::vector<double> v_, y_;
};

const std::vector<double>& KnownMinimiser(const Problem& problem, std::string_view key) {
  if (problem.minimiser) return problem.minimiser->x;
  throw ConfigError(
      fmt::format("{} needs x*, which is not known for a non-convex objective; expected another one", key));
}

/// Of diff's refresh batch; null where all samples are taken.
std::unique_ptr<Sampling> FreshOf(EstimatorConfig config, const FiniteSum& f, const Streams& streams) {
  if (config.refresh_batch == 0) return nullptr;
  config.batch = config.refresh_batch;
  try {
    return MakeSampling(config, f, streams.seed, streams.worker);
  } catch (const ConfigError& error) {  // "objective.batch: ..."
    const std::string_view message = error.what();
    throw ConfigError("objective.refresh_batch" +
                      std::string(message.substr(std::min(message.find(':'), message.size()))));
  }
}

std::unique_ptr<Estimator> MakeCore(const EstimatorConfig& config, const Problem& problem, const Streams& streams) {
  const auto& f = problem.workers[streams.worker];
  if (config.name == "full") return std::make_unique<FullGradient>(f);
  std::unique_ptr<Sampling> sampling = MakeSampling(config, *f, streams.seed, streams.worker);
  if (config.name == "sgd") return std::make_unique<Sgd>(f, std::move(sampling), streams);
  if (config.name == "star")
    return std::make_unique<Anchored>(f, std::move(sampling), streams,
                                      KnownMinimiser(problem, "objective.estimator: star"));
  if (config.name == "anchored")
    return std::make_unique<Driven>(f, std::move(sampling), streams, std::span<const double>(problem.start));
  if (config.name == "diff")
    return std::make_unique<Diff>(f, std::move(sampling), FreshOf(config, *f, streams), streams, config.refresh);
  // A common coin has to have one probability, though blocks of samples differ by one.
  const bool common = config.coin == "common";
  const size_t samples = (common ? problem.workers[0] : f)->samples();
  const uint64_t period = config.anchor_period > 0 ? static_cast<uint64_t>(config.anchor_period) : samples;
  if (config.name == "svrg") return std::make_unique<Svrg>(f, std::move(sampling), streams, period);
  if (config.name == "lsvrg") return std::make_unique<Lsvrg>(f, std::move(sampling), streams, period, common);
  throw ConfigError(
      fmt::format("objective.estimator: '{}' is unknown; expected full, sgd, star, svrg, lsvrg, "
                  "anchored or diff",
                  config.name));
}

}  // namespace

const std::vector<EstimatorInfo>& Estimators() {
  static const std::vector<EstimatorInfo> estimators = {
      {"full", "the gradient, from all samples", "gradient descent"},
      {"sgd", "of a batch drawn by objective.sampling", "Robbins & Monro 1951"},
      {"star", "sgd with the noise at the solution taken off; for theory", "Gorbunov et al. 2020, arXiv 1905.11261"},
      {"svrg", "sgd with the noise at an anchor taken off, which moves every anchor_period rounds",
       "Johnson & Zhang 2013"},
      {"lsvrg", "svrg whose anchor moves by a coin, once in anchor_period rounds",
       "Kovalev et al. 2020, arXiv 1901.08689"},
      {"anchored", "svrg whose anchor the local rounds move, to the workers' mean (local.shift: anchor)",
       "Gorbunov et al. 2021, arXiv 2011.02828"},
      {"diff", "the last estimate and the change of a batch's gradient; all samples in marina's dense rounds",
       "Gorbunov et al. 2021, arXiv 2102.07845"},
  };
  return estimators;
}

std::unique_ptr<Estimator> MakeEstimator(const EstimatorConfig& config, std::shared_ptr<const Problem> problem,
                                         size_t worker, uint64_t seed) {
  std::unique_ptr<Estimator> estimator = MakeCore(config, *problem, {seed, worker});
  if (config.star_shift) {
    std::vector<double> h(problem->dimension());
    problem->workers[worker]->Gradient(KnownMinimiser(*problem, "objective.star_shift: true"), h);
    estimator = MakeShift(std::move(estimator), std::move(h));
  }
  if (config.ema != 1) estimator = MakeEma(std::move(estimator), config.ema);
  return estimator;
}

}  // namespace gradwire
