// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "averaging/averagers.h"

namespace gradwire {
namespace {

class Groups final : public Averaging {
 public:
  Groups(std::unique_ptr<Meetings> meetings, bool needs_all) : meetings_(std::move(meetings)), needs_all_(needs_all) {}

  void Round(std::span<double> values, const std::vector<bool>& answers) override {
    const size_t dimension = values.size() / answers.size();
    mean_.resize(dimension);
    for (const Group& group : meetings_->Next()) {
      here_.clear();
      for (const uint32_t peer : group)
        if (answers[peer]) here_.push_back(peer);
      if (here_.size() < 2) continue;
      const uint64_t others = here_.size() - 1;
      cost_.messages += 2 * here_.size() * others;
      cost_.vectors += 2 * static_cast<double>(others);
      if (!needs_all_ || here_.size() == group.size()) Average(values, dimension);
    }
  }

 private:
  void Average(std::span<double> values, size_t dimension) {
    const auto of = [&](uint32_t peer) { return values.subspan(peer * dimension, dimension); };
    std::ranges::fill(mean_, 0.0);
    for (const uint32_t peer : here_)
      for (size_t k = 0; k < dimension; ++k) mean_[k] += of(peer)[k];
    for (double& element : mean_) element /= static_cast<double>(here_.size());
    for (const uint32_t peer : here_) std::ranges::copy(mean_, of(peer).begin());
  }

  const std::unique_ptr<Meetings> meetings_;
  const bool needs_all_;
  Group here_;
  std::vector<double> mean_;
};

}  // namespace

std::unique_ptr<Averaging> AverageGroups(std::unique_ptr<Meetings> meetings, bool needs_all) {
  return std::make_unique<Groups>(std::move(meetings), needs_all);
}

}  // namespace gradwire
