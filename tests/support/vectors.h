// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "base/philox.h"

namespace gradwire::testing {

/// n standard normal numbers by Box-Muller; the same ones for the same seed.
template <typename T>
std::vector<T> Gaussian(size_t n, uint64_t seed = 1) {
  Philox random(seed, Purpose::kSample);
  std::vector<T> values(n);
  for (size_t i = 0; i < n; i += 2) {
    const double radius = std::sqrt(-2 * std::log1p(-random.Uniform())),
                 angle = 2 * std::numbers::pi * random.Uniform();
    values[i] = static_cast<T>(radius * std::cos(angle));
    if (i + 1 < n) values[i + 1] = static_cast<T>(radius * std::sin(angle));
  }
  return values;
}

template <typename T>
struct NamedVector {
  const char* name;
  std::vector<T> values;
};

/// Vectors on which operators go wrong: n finite elements each.
template <typename T>
std::vector<NamedVector<T>> NastyVectors(size_t n) {
  using Limits = std::numeric_limits<T>;
  const std::vector<T> g = Gaussian<T>(n, n);
  std::vector<NamedVector<T>> bank;
  const auto add = [&](const char* name, auto&& element) {
    std::vector<T> values(n);
    for (size_t i = 0; i < n; ++i) values[i] = static_cast<T>(element(i));
    bank.push_back({name, std::move(values)});
  };
  add("gaussian", [&](size_t i) { return g[i]; });
  add("heavy-tailed", [&](size_t i) { return g[i] / (T(1e-4) + std::abs(g[n - 1 - i])); });  // Cauchy, but finite
  add("one spike", [&](size_t i) { return i == n / 2 ? T(-3) : T(0); });
  add("all equal", [&](size_t) { return T(0.3); });
  add("all negative", [&](size_t i) { return -std::abs(g[i]) - T(1e-3); });
  add("alternating", [&](size_t i) { return i % 2 ? T(-1) : T(1); });
  add("zeros", [&](size_t) { return T(0); });
  add("signed zeros", [&](size_t i) { return i % 3 ? T(-0.0) : T(0); });
  add("denormals",
      [&](size_t i) { return static_cast<T>(static_cast<int>(i * 37 % 2001) - 1000) * Limits::denorm_min(); });
  add("huge", [&](size_t i) { return T(1e30) * g[i]; });
  add("largest", [&](size_t i) { return i % 3 ? Limits::max() : Limits::lowest(); });
  add("mixed scales", [&](size_t i) { return g[i] * std::pow(T(10), static_cast<T>(static_cast<int>(i % 61) - 30)); });
  add("ties", [&](size_t i) { return static_cast<T>(static_cast<int>(i * 7 % 5) - 2); });
  return bank;
}

}  // namespace gradwire::testing
