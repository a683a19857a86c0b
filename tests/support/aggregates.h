// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/philox.h"
#include "message/aggregate_rules.h"

namespace gradwire::testing {

/// Every rule but the mean, by its example; trimmed also by a share, clipping also by several steps.
inline std::vector<std::string> AggregateTexts() {
  std::vector<std::string> texts = {"trimmed:20%", "centred_clip:10:3"};
  for (const AggregateRule& rule : AggregateRules())
    if (rule.f64 != nullptr) texts.emplace_back(rule.example);
  return texts;
}

template <typename T>
using Vectors = std::vector<std::vector<T>>;

/// One vector of each of n senders, of numbers from -1 to 3.
template <typename T>
Vectors<T> SomeVectors(size_t n, size_t numel, uint64_t seed = 1) {
  Vectors<T> all(n, std::vector<T>(numel));
  for (size_t i = 0; i < n; ++i) {
    Philox random(seed, Purpose::kSynthetic, i);
    for (T& x : all[i]) x = static_cast<T>(4 * random.Uniform() - 1);
  }
  return all;
}

/// What the aggregate makes of them in a round, after which `centre` is that of the next one.
template <typename T>
std::vector<T> CombineAll(const Aggregate& aggregate, const Vectors<T>& vectors, std::vector<T>* centre = nullptr,
                          uint64_t draw = 0) {
  Scratch scratch;
  std::vector<T> flat, out(vectors[0].size()), zeros(vectors[0].size());
  for (const std::vector<T>& vector : vectors) flat.insert(flat.end(), vector.begin(), vector.end());
  std::vector<uint32_t> order(vectors.size());
  DrawOrder(/*seed=*/3, draw, order);
  const Decoded<T> decoded{flat, vectors.size(), order, centre != nullptr ? *centre : zeros, scratch};
  Combine<T>(aggregate, decoded, out);
  return out;
}

template <typename T>
double Norm(const std::vector<T>& v) {
  double square = 0;
  for (const T x : v) square += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(square);
}

}  // namespace gradwire::testing
