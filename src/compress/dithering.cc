// SPDX-License-Identifier: Apache-2.0
#include <bit>

#include <fmt/format.h>

#include "compress/dither.h"
#include "compress/spec.h"

namespace gradwire {
namespace {

using kernels::Norm;
using How = kernels::Dithering;

/// Random dithering (p-norm quantisation; Mishchenko et al. 2019, arXiv 1901.09269): |x_j| / ||x||_p is rounded at
/// random to one of its two neighbours among 0, 1/s, ..., 1. QSGD is p = 2 (Alistarh et al., NeurIPS 2017), TernGrad
/// p = inf with s = 1 (Wen et al., NeurIPS 2017), whose clipping is at 2.5 standard deviations: here about zero, where
/// the paper's are about the mean, so that a constant block is not all cut off.
///
/// Norms of blocks of B elements, `block=B`, are what DIANA's and DORE's papers quantise by (Liu et al. 2020, arXiv
/// 1910.07561: B = 256). Vectors by hand are for 1,024 alone. With AVX-512 a piece of 65,536 floats takes, B = 256 and
/// 1,024: qsgd:7 127 and 37 us to encode, 26 and 8 to decode; terngrad 67 and 39, 21 and 36.
///
/// omega, of the d <= B elements that share a norm: of several such blocks it is that of the longest. With r =
/// ||x||_p, y_j = s |x_j| / r and f_j = frac(y_j) the error is exactly (r/s)^2 sum f_j (1 - f_j). (a) f (1 - f) <= y (1
/// - y/s) for y in [0, s]: with y = k + f the difference is k - k^2/s - 2kf/s + f^2 (1 - 1/s), whose
///     minimum over f, at f = k/(s - 1), is k (1 - k/(s - 1)) >= 0. So the error is at most (r ||x||_1 - ||x||^2) / s:
///     the exact error of one level, divided by s. Its supremum over x is d - 1, sqrt(d) - 1 and (sqrt(d) - 1) / 2 for
///     p = 1, 2 and inf, attained for s = 1.
/// (b) f (1 - f) <= 1/4: the error is at most (r / ||x||)^2 d / (4 s^2), and (r / ||x||)^2 <= d for p = 1, else <= 1.
class Dithering final : public Dither<Dithering> {
 public:
  /// `name`: the spec but for the block.
  Dithering(const std::string& name, const kernels::Dithering& how)
      : Dither(how), spec_(how.block == kernels::kBlock ? name : fmt::format("{}:block={}", name, how.block)) {}

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

/// The words between colons, but for a last one block=B, which is read: empty where B is none.
struct Argument {
  explicit Argument(std::string_view text) : words(Split(text, ':')) {
    constexpr std::string_view kKey = "block=";
    if (words.back().starts_with(kKey)) {
      const auto b = ReadCount(words.back().substr(kKey.size()));
      block = b && *b >= kernels::kLeastNorm && *b <= kernels::kBlock && std::has_single_bit(*b) ? b : std::nullopt;
      words.pop_back();
    } else if (text.empty()) {
      words.clear();
    }
  }

  std::vector<std::string_view> words;
  std::optional<size_t> block = kernels::kBlock;
};

const std::string kBlocks =
    fmt::format(", and perhaps the elements that share a norm, block=B, a power of two from {} to {} (block=256)",
                kernels::kLeastNorm, kernels::kBlock);

}  // namespace

std::optional<Norm> ReadNorm(std::string_view text) {
  for (const Norm norm : {Norm::kL1, Norm::kL2, Norm::kMax})
    if (text == NameOf(norm)) return norm;
  return std::nullopt;
}

std::string_view NameOf(Norm norm) { return norm == Norm::kL1 ? "1" : norm == Norm::kL2 ? "2" : "inf"; }

std::shared_ptr<const Compressor> MakeQsgd(std::string_view argument) {
  const Argument read(argument);
  const auto s = read.words.size() == 1 ? ReadLevels(read.words[0]) : std::nullopt;
  if (!s || !read.block)
    throw BadArgument("qsgd", argument, "a number of levels from 1 to 32767 (qsgd:127 has codes of 8 bits)" + kBlocks);
  return std::make_shared<Dithering>(fmt::format("qsgd:{}", *s),
                                     How{.norm = Norm::kL2, .count = *s, .block = *read.block});
}

std::shared_ptr<const Compressor> MakeDithering(std::string_view argument) {
  const Argument read(argument);
  const auto norm = read.words.empty() ? std::nullopt : ReadNorm(read.words[0]);
  const auto s = read.words.size() == 2 ? ReadLevels(read.words[1]) : std::nullopt;
  if (!norm || !s || !read.block)
    throw BadArgument("dithering", argument,
                      "a norm (1, 2 or inf) and a number of levels from 1 to 32767 (dithering:inf:7)" + kBlocks);
  return std::make_shared<Dithering>(fmt::format("dithering:{}:{}", NameOf(*norm), *s),
                                     How{.norm = *norm, .count = *s, .block = *read.block});
}

std::shared_ptr<const Compressor> MakeTernGrad(std::string_view argument) {
  const Argument read(argument);
  const bool clip = read.words == std::vector<std::string_view>{"clip"};
  if (!(read.words.empty() || clip) || !read.block)
    throw BadArgument("terngrad", argument, "no argument, or clip (terngrad:clip)" + kBlocks);
  return std::make_shared<Dithering>(clip ? "terngrad:clip" : "terngrad",
                                     How{.norm = Norm::kMax, .count = 1, .clip = clip, .block = *read.block});
}

}  // namespace gradwire
