// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "gradwire/piece.h"

namespace gradwire {

/// An operator Q(x) / (1 + omega) of an unbiased Q, which compose() knows to keep contractions contractive.
class Damped {
 public:
  virtual ~Damped() = default;
  /// 1 / (1 + omega); empty where the operator is not of that form.
  virtual std::optional<double> damping(const Piece& piece) const = 0;
};

}  // namespace gradwire
