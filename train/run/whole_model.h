// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "gradwire/parameter.h"
#include "train/network/network.h"

namespace gradwire::train {

/// A network's point in one piece: all parameters one behind another, each as it lies in memory.
inline std::vector<float> WholePoint(Network& network) {
  std::vector<float> whole;
  for (const std::span<float> x : network.parameter_values()) whole.insert(whole.end(), x.begin(), x.end());
  return whole;
}

/// Its parameters.
inline std::vector<std::span<const float>> Parts(std::span<const float> whole,
                                                 const std::vector<Parameter>& parameters) {
  std::vector<std::span<const float>> parts;
  size_t at = 0;
  for (const Parameter& parameter : parameters) {
    parts.push_back(whole.subspan(at, parameter.numel()));
    at += parameter.numel();
  }
  return parts;
}

}  // namespace gradwire::train
