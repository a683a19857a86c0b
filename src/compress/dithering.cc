// SPDX-License-Identifier: Apache-2.0
#include "compress/dither.h"
#include "compress/spec.h"

namespace gradwire {
namespace {

using kernels::Norm;

/// Random dithering (p-norm quantisation; Mishchenko et al. 2019, arXiv 1901.09269): |x_j| / ||x||_p is rounded at
/// random to one of its two neighbours among 0, 1/s, ..., 1. QSGD is p = 2 (Alistarh et al., NeurIPS 2017), TernGrad
/// p = inf with s = 1 (Wen et al., NeurIPS 2017), whose clipping is at 2.5 standard deviations: here about zero, where
/// the paper's are about the mean, so that a constant block is not all cut off.
///
/// omega, of the d <= 1,024 elements that share a norm: of several such blocks it is that of the longest. With r =
/// ||x||_p, y_j = s |x_j| / r and f_j = frac(y_j) the error is exactly (r/s)^2 sum f_j (1 - f_j). (a) f (1 - f) <= y (1
/// - y/s) for y in [0, s]: with y = k + f the difference is k - k^2/s - 2kf/s + f^2 (1 - 1/s), whose
///     minimum over f, at f = k/(s - 1), is k (1 - k/(s - 1)) >= 0. So the error is at most (r ||x||_1 - ||x||^2) / s:
///     the exact error of one level, divided by s. Its supremum over x is d - 1, sqrt(d) - 1 and (sqrt(d) - 1) / 2 for
///     p = 1, 2 and inf, attained for s = 1.
/// (b) f (1 - f) <= 1/4: the error is at most (r / ||x||)^2 d / (4 s^2), and (r / ||x||)^2 <= d for p = 1, else <= 1.
class Dithering final : public Dither<Dithering> {
 public:
  Dithering(std::string spec, Norm norm, uint32_t s, bool clip = false)
      : Dither({.norm = norm, .count = s, .clip = clip}), spec_(std::move(spec)) {}

  std::string spec() const override { return spec_; }
  bool unbiased() const override { return !how().clip; }
  std::optional<double> omega(const Piece& piece) const override {
    return how().clip ? std::nullopt : std::optional(Omega(Dimension(piece)));
  }
  std::optional<double> delta(const Piece& piece) const override {
    return how().clip ? std::nullopt : ContractionOf(*omega(piece));
  }

 private:
  double Omega(double d) const {
    const double s = how().count, one_level = how().norm == Norm::kL1   ? d - 1
                                              : how().norm == Norm::kL2 ? std::sqrt(d) - 1
                                                                        : (std::sqrt(d) - 1) / 2;
    return std::min(one_level / s, (how().norm == Norm::kL1 ? d : 1) * d / (4 * s * s));
  }

  std::string spec_;
};

/// Up to 2^15 - 1, so that a code fits 16 bits.
std::optional<uint32_t> ReadLevels(std::string_view text) {
  const auto s = ReadCount(text);
  return s && *s >= 1 && *s <= 32767 ? std::optional(static_cast<uint32_t>(*s)) : std::nullopt;
}

}  // namespace

std::optional<Norm> ReadNorm(std::string_view text) {
  for (const Norm norm : {Norm::kL1, Norm::kL2, Norm::kMax})
    if (text == NameOf(norm)) return norm;
  return std::nullopt;
}

std::string_view NameOf(Norm norm) { return norm == Norm::kL1 ? "1" : norm == Norm::kL2 ? "2" : "inf"; }

std::shared_ptr<const Compressor> MakeQsgd(std::string_view argument) {
  const auto s = ReadLevels(argument);
  if (!s) throw BadArgument("qsgd", argument, "a number of levels from 1 to 32767 (qsgd:127 has codes of 8 bits)");
  return std::make_shared<Dithering>("qsgd:" + std::to_string(*s), Norm::kL2, *s);
}

std::shared_ptr<const Compressor> MakeDithering(std::string_view argument) {
  const std::vector<std::string_view> parts = Split(argument, ':');
  const auto norm = ReadNorm(parts[0]);
  const auto s = parts.size() == 2 ? ReadLevels(parts[1]) : std::nullopt;
  if (!norm || !s)
    throw BadArgument("dithering", argument,
                      "a norm (1, 2 or inf) and a number of levels from 1 to 32767 (dithering:inf:7)");
  return std::make_shared<Dithering>("dithering:" + std::string(NameOf(*norm)) + ":" + std::to_string(*s), *norm, *s);
}

std::shared_ptr<const Compressor> MakeTernGrad(std::string_view argument) {
  if (!argument.empty() && argument != "clip")
    throw BadArgument("terngrad", argument, "no argument, or clip (terngrad:clip)");
  const bool clip = !argument.empty();
  return std::make_shared<Dithering>(clip ? "terngrad:clip" : "terngrad", Norm::kMax, 1, clip);
}

}  // namespace gradwire
