// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>

#include "estimate/sampled.h"

namespace gradwire {

/// The key of the coin that all workers see; no worker has this number.
inline constexpr uint64_t kEveryone = std::numeric_limits<uint32_t>::max();

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
class DriverAnchored : public Anchored {
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
  bool Refreshes(const Round& round, Philox&) const override { return round.draw() % period_ == 0; }

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
    Philox shared(seed(), Purpose::kSample, kEveryone, round.draw());
    return (common_ ? shared : own).Uniform() * static_cast<double>(period_) < 1;
  }

 private:
  uint64_t period_;
  bool common_;
};

}  // namespace gradwire
