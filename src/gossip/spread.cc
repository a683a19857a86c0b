// SPDX-License-Identifier: Apache-2.0
#include "gossip/spread.h"

#include <cmath>

namespace gradwire {

template <typename T>
Spread SpreadOf(std::span<const std::span<const T>> models, const std::function<void(std::span<double>)>& sum) {
  Spread spread{std::vector<double>(models[0].size())};
  std::vector<double> count(1, static_cast<double>(models.size())), square(1);
  sum(count);
  for (const std::span<const T> model : models)
    for (size_t j = 0; j < model.size(); ++j) spread.average[j] += model[j];
  sum(spread.average);
  for (double& value : spread.average) value /= count[0];
  for (const std::span<const T> model : models) {
    double own = 0;  // worker by worker, as ranks add it up
    for (size_t j = 0; j < model.size(); ++j) own += std::pow(model[j] - spread.average[j], 2);
    square[0] += own;
  }
  sum(square);
  spread.distance = std::sqrt(square[0] / count[0]);
  return spread;
}

template Spread SpreadOf(std::span<const std::span<const float>>, const std::function<void(std::span<double>)>&);
template Spread SpreadOf(std::span<const std::span<const double>>, const std::function<void(std::span<double>)>&);

}  // namespace gradwire
