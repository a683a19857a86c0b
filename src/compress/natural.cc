// SPDX-License-Identifier: Apache-2.0
#include "kernels/scalar/natural.h"
#include "compress/dither.h"
#include "compress/spec.h"

namespace gradwire {
namespace {

using kernels::Norm;

/// Natural compression (Horvath et al., "Natural compression for distributed deep learning", MSML 2022): |x| is rounded
/// at random to one of the two powers of two around it, with its mean kept. On the bits that is: the exponent grows by
/// one with probability mantissa / 2^23 (2^52 for double), exactly. Payload: sign and biased exponent of each element
/// in 9 bits (double: 12), packed (kernels/codes.h).
///
/// Denormals have no code: they become 0 or the smallest normal number, with their mean kept. omega holds for normal
/// numbers; denormals add at most (smallest normal)^2 an element. In the uppermost binade, where the upper power of two
/// is beyond T, elements are rounded down.
class Natural final : public Operator<Natural> {
 public:
  std::string spec() const override { return "natural"; }
  bool unbiased() const override { return true; }
  /// Attained by |x| = (4/3) 2^a.
  std::optional<double> omega(const Piece&) const override { return 0.125; }
  std::optional<double> delta(const Piece&) const override { return 0.875; }
  size_t Bytes(const Piece& piece, Dtype dtype) const override {
    return dtype == Dtype::kF32 ? kernels::scalar::NaturalSpace<float>().bytes(piece.numel)
                                : kernels::scalar::NaturalSpace<double>().bytes(piece.numel);
  }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype, std::span<const std::byte>) const override {
    return rule.Exponents(piece.numel);
  }

  template <typename T>
  EncodeResult EncodeSource(const Site& site, Lane&, const kernels::Source<T>& source, std::span<std::byte> out) const {
    return {out.size(), kernels::EncodeNatural<T>(source, DrawsOf(site), out.data())};
  }

  template <typename T>
  void DecodeAs(const Site& site, Lane& lane, std::span<const Payload> payloads, std::span<const T> weights, Into into,
                std::span<T> out) const {
    SumCoded<T>(
        site, lane, payloads, weights, [](std::span<const std::byte>) {}, " payload with an infinite element",
        [&](std::span<const kernels::Coded<T>> all) { return kernels::SumNatural<T>(all, into, out); });
  }
};

/// Natural dithering (Horvath et al. 2022, as above): as dithering, with levels 2^-(s-1), ..., 1/2, 1 of ||x||_p.
class NaturalDithering final : public Dither<NaturalDithering> {
 public:
  NaturalDithering(Norm norm, uint32_t s) : Dither({.norm = norm, .count = s, .powers = true}) {}

  std::string spec() const override {
    return "natural_dithering:" + std::string(NameOf(how().norm)) + ":" + std::to_string(how().count);
  }
  bool unbiased() const override { return true; }
  /// The paper's bound: 1/8 + c min(1, c) with c = d^(1/min(p, 2)) / 2^(s-1), of the d elements that share a norm.
  std::optional<double> omega(const Piece& piece) const override {
    const double d = Dimension(piece), root = how().norm == Norm::kL1 ? d : std::sqrt(d);
    const double c = std::ldexp(root, 1 - static_cast<int>(how().count));
    return 0.125 + c * std::min(1.0, c);
  }
  std::optional<double> delta(const Piece& piece) const override { return ContractionOf(*omega(piece)); }
};

}  // namespace

std::shared_ptr<const Compressor> MakeNatural(std::string_view argument) {
  RefuseArgument("natural", argument);
  return std::make_shared<Natural>();
}

std::shared_ptr<const Compressor> MakeNaturalDithering(std::string_view argument) {
  const std::vector<std::string_view> parts = Split(argument, ':');
  const auto norm = ReadNorm(parts[0]);
  const auto s = parts.size() == 2 ? ReadCount(parts[1]) : std::nullopt;
  if (!norm || !s || *s < 1 || *s > 64)
    throw BadArgument("natural_dithering", argument,
                      "a norm (1, 2 or inf) and a number of levels from 1 to 64 (natural_dithering:2:7)");
  return std::make_shared<NaturalDithering>(*norm, static_cast<uint32_t>(*s));
}

}  // namespace gradwire
