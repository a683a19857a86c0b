// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/philox.h"

namespace gradwire {

/// Gaussian noise of a gradient oracle, independent from coordinate to coordinate: of standard deviation S, or,
/// relative, of S times the coordinate's magnitude (N-SAGA, N-SEGA: Gorbunov, Hanzely, Richtarik 2020, arXiv
/// 1905.11261).
struct Noise {
  enum class Kind { kAbsolute, kRelative } kind = Kind::kAbsolute;
  double deviation = 0;  ///< S

  bool is_none() const { return deviation == 0; }
  /// "none", "absolute:0.01".
  std::string text() const;
  /// Adds the noise of a stream to d coordinates. None changes nothing, bit for bit.
  void AddTo(std::span<double> gradient, Philox random) const;
};

/// The noise of such a text. Throws ConfigError ("found ..., expected ...").
Noise ParseNoise(std::string_view text);

}  // namespace gradwire
