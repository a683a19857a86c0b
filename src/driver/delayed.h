// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "driver/objective.h"

namespace gradwire {

/// An objective that steps along the gradient that was computed `delay` rounds ago, and in the first `delay` rounds not
/// at all: x^{k+1} = x^k - lr g^{k - delay}. In a gradient round this is the delayed form of whatever method the
/// exchange is (Gorbunov et al. 2020, arXiv 2010.12292, D-SGD and its kin). Holds `delay` gradients. Not thread-safe.
template <typename T>
class Delayed final : public Objective<T> {
 public:
  /// `inner` outlives this.
  Delayed(Objective<T>& inner, int64_t delay) : inner_(inner), delay_(static_cast<size_t>(delay)) {}

  const std::vector<Parameter>& parameters() const override { return inner_.parameters(); }
  void Gradient(const Round& round, BucketSink<T>& sink) override { inner_.Gradient(round, sink); }
  std::vector<std::span<T>> parameter_values() override { return inner_.parameter_values(); }
  std::vector<std::span<T>> gradient() override { return inner_.gradient(); }
  void AddDecay() override { inner_.AddDecay(); }
  void MoveAnchor() override { inner_.MoveAnchor(); }

  void Step(double lr) override {
    if (delay_ > 0) {
      waiting_.emplace_back();
      for (const std::span<T> part : gradient())
        waiting_.back().insert(waiting_.back().end(), part.begin(), part.end());
      if (waiting_.size() <= delay_) return;
      auto from = waiting_.front().begin();
      for (const std::span<T> part : gradient()) {
        std::copy_n(from, part.size(), part.begin());
        from += static_cast<std::ptrdiff_t>(part.size());
      }
      waiting_.pop_front();
    }
    inner_.Step(lr);
  }

  /// All but the inner objective.
  template <typename Archive>
  void serialize(Archive& archive) {
    archive(waiting_);
  }

 private:
  Objective<T>& inner_;
  const size_t delay_;
  std::deque<std::vector<T>> waiting_;
};

}  // namespace gradwire
