// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gradwire/parameter.h"

namespace gradwire {

/// The memory of a rank's links: named vectors, each as long as its parameter, keyed by parameter id and never by
/// bucket. T is float or double. Not thread-safe; the exchange that owns it is used by one thread at a time.
template <typename T>
class StateStore {
 public:
  explicit StateStore(const std::vector<Parameter>& parameters)
      : parameters_(&parameters), vectors_(parameters.size()) {}

  /// The vector `name` of a parameter, zero at first use. The span stays valid for the life of the store.
  std::span<T> Vector(uint32_t parameter, std::string_view name);

  /// ||.||^2 over all vectors of that name, in double.
  double SquaredNorm(std::string_view name) const;

 private:
  const std::vector<Parameter>* parameters_;
  std::vector<std::map<std::string, std::vector<T>, std::less<>>> vectors_;
};

}  // namespace gradwire
