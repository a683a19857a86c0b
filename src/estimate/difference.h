// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "estimate/sampled.h"

namespace gradwire {

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
    handle.refresh |= round.draw() == 0;
    if (!handle.refresh || !fresh_) return handle;
    Philox random = BitsOf(round.draw());
    handle.draws = fresh_->Next(random, round.draw());
    return handle;
  }
  std::optional<std::vector<Draw>> Samples(const Round& round) const override {
    const Handle handle = Next(round);
    return handle.refresh && !fresh_ ? std::nullopt : std::optional(handle.draws);
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
  bool Refreshes(const Round& round, Philox&) const override { return SharedCoin(seed(), round.draw(), p_); }

 private:
  std::unique_ptr<Sampling> fresh_;
  double p_;
  std::vector<double> v_, y_;
};

}  // namespace gradwire
