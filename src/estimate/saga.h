// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "estimate/sampled.h"

namespace gradwire {

/// (1/m) sum_l T_l + sum_k w_k (grad f_k(x) - T_k), then T_k <- grad f_k(x): a table of the gradient that each sample
/// had last, which starts with those at the first point (SAGA: Defazio, Bach, Lacoste-Julien, NeurIPS 2014, arXiv
/// 1407.0202). Unbiased for every sampling; of samples without replacement it is JacSketch's tau-nice sketch (Gower,
/// Richtarik, Bach 2018, arXiv 1805.02632). Noise of the oracle is the same in the estimate and in the table (N-SAGA).
/// The table's mean follows by its changes and is summed anew once a pass, so that rounding does not pile up.
class Saga : public Sgd {
 public:
  using Sgd::Sgd;
  void Estimate(std::span<const double> x, const Handle& handle, std::span<double> out) override {
    if (table_.empty()) Begin(x, handle.step);
    const uint64_t pass = evaluations() / samples();
    std::vector<double> fresh(handle.draws.size() * x.size());
    std::copy(mean_.begin(), mean_.end(), out.begin());
    for (size_t k = 0; k < handle.draws.size(); ++k) {
      const Draw& draw = handle.draws[k];
      const std::span<double> gradient = Row(fresh, k, x.size()), last = Row(table_, draw.sample, x.size());
      Sample(handle.step, draw.sample, x, gradient);
      for (size_t j = 0; j < x.size(); ++j) out[j] += draw.weight * (gradient[j] - last[j]);
    }
    for (size_t k = 0; k < handle.draws.size(); ++k)  // a sample that was drawn twice has its old row in both
      Replace(handle.draws[k].sample, Row(fresh, k, x.size()));
    if (evaluations() / samples() != pass) TakeMean();
  }
  Memory memory() override {
    Memory memory = Sgd::memory();
    memory.vectors = {&table_, &mean_};
    return memory;
  }

 private:
  static std::span<double> Row(std::vector<double>& rows, size_t row, size_t d) { return {&rows[row * d], d}; }
  void Begin(std::span<const double> x, uint64_t step) {
    table_.resize(samples() * x.size());
    mean_.resize(x.size());
    for (uint32_t l = 0; l < samples(); ++l) Sample(step, l, x, Row(table_, l, x.size()));
    TakeMean();
  }
  void TakeMean() {
    std::fill(mean_.begin(), mean_.end(), 0.0);
    for (size_t at = 0; at < table_.size(); ++at) mean_[at % mean_.size()] += table_[at];
    for (double& v : mean_) v /= static_cast<double>(samples());
  }
  void Replace(size_t sample, std::span<const double> gradient) {
    const std::span<double> row = Row(table_, sample, gradient.size());
    for (size_t j = 0; j < row.size(); ++j) {
      mean_[j] += (gradient[j] - row[j]) / static_cast<double>(samples());
      row[j] = gradient[j];
    }
  }

  std::vector<double> table_, mean_;  // m rows of d; their mean
};

}  // namespace gradwire
