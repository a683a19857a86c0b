// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/philox.h"

namespace gradwire {

/// Normal deviates of one stream, two at a time (Box & Muller 1958). Not thread-safe.
class NoiseStream {
 public:
  explicit NoiseStream(Philox random) : random_(random) {}

  double Normal();
  /// Student's t with so many degrees of freedom (Bailey, "Polar generation of random variates with the
  /// t-distribution", 1994).
  double Student(double freedom);

 private:
  /// Uniform in (0, 1].
  double Uniform() { return 1 - random_.Uniform(); }

  Philox random_;
  std::optional<double> spare_;
};

/// The law of Z in a stochastic gradient's element g = grad f + sigma Z: symmetric, of scale 1.
struct GradientNoise {
  double freedom = 0;  ///< nu of Student's t, whose variance is infinite for nu <= 2; 0: Gaussian

  bool is_gaussian() const { return freedom == 0; }
  double Draw(NoiseStream& stream) const;
  /// E sign(u + Z) = 1 - 2 P(Z < -u): erf(u / sqrt(2)), or 2 F_nu(u) - 1 with Student's distribution function F_nu.
  /// That is 2 Xi(u) of Compagnoni et al. (arXiv 2411.15958), who write it by the hypergeometric function 2F1.
  double MeanSign(double u) const;
  /// The derivative of MeanSign at 0, twice the density there.
  double MeanSignSlope() const;
  /// The spec that makes it again.
  std::string spec() const;
};

/// "gaussian" or "student:NU", NU > 0. Throws ConfigError.
GradientNoise ParseGradientNoise(std::string_view spec);

}  // namespace gradwire
