// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <numbers>

#include "base/philox.h"

namespace gradwire {

/// A standard normal number (Box and Muller), of two uniform ones.
inline double Normal(Philox& random) {
  const double radius = std::sqrt(-2 * std::log1p(-random.Uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.Uniform());
}

}  // namespace gradwire
