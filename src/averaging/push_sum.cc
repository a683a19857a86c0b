// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>

#include "averaging/averagers.h"

namespace gradwire {
namespace {

class PushSumAveraging final : public Averaging {
 public:
  explicit PushSumAveraging(size_t peers)
      : hops_(std::max(1, static_cast<int>(std::bit_width(std::max<size_t>(peers, 2) - 1)) - 1)), weights_(peers, 1) {}

  void Round(std::span<double> values, const std::vector<bool>& answers) override {
    const size_t dimension = values.size() / answers.size();
    sums_.assign(values.size(), 0);
    came_.assign(answers.size(), 0);
    const int hop = static_cast<int>(round_++ % hops_);
    for (size_t i = 0; i < answers.size(); ++i) Push(i, hop, answers, values, dimension);
    for (size_t i = 0; i < answers.size(); ++i) {
      if (!answers[i]) continue;
      weights_[i] = came_[i];
      for (size_t k = i * dimension; k < (i + 1) * dimension; ++k) values[k] = sums_[k] / came_[i];
    }
  }

 private:
  void Push(size_t from, int hop, const std::vector<bool>& answers, std::span<const double> values, size_t dimension) {
    if (!answers[from]) return;
    const size_t n = answers.size();
    const std::array<size_t, 3> targets = {from, (from + (size_t{1} << hop)) % n, (from + (size_t{2} << hop)) % n};
    const auto gets = [&](size_t t) { return t == 0 || (targets[t] != from && answers[targets[t]]); };
    const double share = weights_[from] / (1.0 + gets(1) + gets(2));
    for (size_t t = 0; t < targets.size(); ++t) {
      if (!gets(t)) continue;
      if (t > 0) ++cost_.messages, ++cost_.vectors;
      came_[targets[t]] += share;
      for (size_t k = 0; k < dimension; ++k) sums_[targets[t] * dimension + k] += share * values[from * dimension + k];
    }
  }

  const uint64_t hops_;
  std::vector<double> weights_, came_, sums_;
  uint64_t round_ = 0;
};

}  // namespace

std::unique_ptr<Averaging> PushSum(size_t peers) { return std::make_unique<PushSumAveraging>(peers); }

}  // namespace gradwire
