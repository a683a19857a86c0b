// SPDX-License-Identifier: Apache-2.0
#include "gradwire/prox.h"

#include <algorithm>
#include <cmath>

namespace gradwire {

double Prox::Value(std::span<const double> x) const {
  double sum = 0;
  for (const double value : x) sum += kind == Kind::kL1 ? std::abs(value) : 0.5 * value * value;
  return kind == Kind::kNone ? 0 : lambda * sum;
}

template <typename T>
void Prox::Apply(double lr, std::span<T> x) const {
  const T t = static_cast<T>(lr * lambda);
  for (T& value : x) {
    if (kind == Kind::kL1) value = std::copysign(std::max(std::abs(value) - t, T{0}), value);
    if (kind == Kind::kL2) value /= 1 + t;
  }
}

template void Prox::Apply(double, std::span<float>) const;
template void Prox::Apply(double, std::span<double>) const;

}  // namespace gradwire
