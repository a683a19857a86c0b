// SPDX-License-Identifier: Apache-2.0
#include "analysis/noise.h"

#include <cmath>
#include <numbers>

#include <fmt/format.h>
#include <boost/math/special_functions/beta.hpp>

#include "base/text.h"
#include "compress/spec.h"

namespace gradwire {
namespace {

constexpr std::string_view kStudent = "student:";

/// P(|t_nu| < u) = I_z(1/2, nu/2) = 1 - I_{1-z}(nu/2, 1/2) with z = u^2 / (nu + u^2) (Abramowitz & Stegun 26.5.27,
/// 26.5.2): by the second one in the tail, where z has lost 1 - z.
double StudentWithin(double u, double freedom) {
  using boost::math::policies::policy, boost::math::policies::promote_double;
  constexpr policy<promote_double<false>> kDouble;
  const double u2 = u * u;
  return u2 < freedom ? boost::math::ibeta(0.5, freedom / 2, u2 / (freedom + u2), kDouble)
                      : 1 - boost::math::ibeta(freedom / 2, 0.5, freedom / (freedom + u2), kDouble);
}

}  // namespace

double NoiseStream::Normal() {
  if (spare_) {
    const double normal = *spare_;
    spare_.reset();
    return normal;
  }
  const double radius = std::sqrt(-2 * std::log(Uniform())), angle = 2 * std::numbers::pi * Uniform();
  spare_ = radius * std::sin(angle);
  return radius * std::cos(angle);
}

double NoiseStream::Student(double freedom) {
  const double u = Uniform(), angle = 2 * std::numbers::pi * Uniform();
  return std::sqrt(freedom * std::expm1(-2 / freedom * std::log(u))) * std::cos(angle);
}

double GradientNoise::Draw(NoiseStream& stream) const {
  return is_gaussian() ? stream.Normal() : stream.Student(freedom);
}

double GradientNoise::MeanSign(double u) const {
  if (is_gaussian()) return std::erf(u / std::numbers::sqrt2);
  return std::copysign(std::isfinite(u) ? StudentWithin(u, freedom) : 1, u);
}

double GradientNoise::MeanSignSlope() const {
  if (is_gaussian()) return std::sqrt(2 / std::numbers::pi);
  return 2 * std::exp(std::lgamma((freedom + 1) / 2) - std::lgamma(freedom / 2)) /
         std::sqrt(std::numbers::pi * freedom);
}

std::string GradientNoise::spec() const { return is_gaussian() ? "gaussian" : fmt::format("{}{}", kStudent, freedom); }

GradientNoise ParseGradientNoise(std::string_view spec) {
  if (spec == "gaussian") return {};
  const bool is_student = spec.starts_with(kStudent);
  const auto freedom = is_student ? ReadNumber(spec.substr(kStudent.size())) : std::nullopt;
  if (!freedom || !(*freedom > 0))
    throw ConfigError("noise", fmt::format("found '{}', expected gaussian or student:NU with the degrees of freedom NU "
                                           "> 0 (student:1)",
                                           Shown(spec)));
  return {*freedom};
}

}  // namespace gradwire
