// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

namespace gradwire {

/// A regulariser R outside f, for which x <- prox_{lr R}(x - lr g). kL1: lambda ||x||_1. kL2: (lambda / 2) ||x||^2.
struct Prox {
  enum class Kind { kNone, kL1, kL2 };
  Kind kind = Kind::kNone;
  double lambda = 0;

  explicit operator bool() const { return kind != Kind::kNone; }
  /// R(x).
  double Value(std::span<const double> x) const;
  /// x <- argmin_z R(z) + ||z - x||^2 / (2 lr).
  template <typename T>
  void Apply(double lr, std::span<T> x) const;
};

}  // namespace gradwire
