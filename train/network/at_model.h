// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

namespace gradwire::train {

/// Puts another model into the rank's network for the time of an evaluation; its own comes back when this ends. An
/// empty `model` stands for the rank's own.
class AtModel {
 public:
  AtModel(std::vector<std::span<float>> point, const std::vector<std::span<const float>>& model)
      : point_(std::move(point)) {
    if (model.empty()) point_.clear();
    for (size_t p = 0; p < point_.size(); ++p) {
      own_.emplace_back(point_[p].begin(), point_[p].end());
      std::ranges::copy(model[p], point_[p].begin());
    }
  }
  ~AtModel() {
    for (size_t p = 0; p < point_.size(); ++p) std::ranges::copy(own_[p], point_[p].begin());
  }
  AtModel(const AtModel&) = delete;

 private:
  std::vector<std::span<float>> point_;
  std::vector<std::vector<float>> own_;
};

}  // namespace gradwire::train
