// SPDX-License-Identifier: Apache-2.0
#include "compress/scaled.h"

#include <cmath>

#include <fmt/format.h>

#include "compress/combination.h"
#include "compress/spec.h"

namespace gradwire {
namespace {

/// C(x) = c A(x). Its payload is A's.
///
/// delta, the better of two bounds. Of an unbiased A: E||cA(x) - x||^2 <= (c^2 (1 + omega) - 2c + 1) ||x||^2. Of a
/// contractive A: ||cA(x) - x|| <= |c| ||A(x) - x|| + |1 - c| ||x||.
class Scaled final : public WithPayloadOfA<Scaled>, public Scalable {
 public:
  /// Without c: A's lambda for each piece.
  Scaled(Part a, std::optional<double> c) : WithPayloadOfA(std::move(a)), c_(c) {}

  std::string spec() const override {
    return c_ ? fmt::format("scaled({},{})", a_->spec(), *c_) : fmt::format("unscale({})", a_->spec());
  }
  bool unbiased() const override { return a_->unbiased() && c_ == 1.0; }
  bool linear() const override { return a_->linear(); }
  std::optional<double> omega(const Piece& piece) const override {
    return unbiased() ? a_->omega(piece) : std::nullopt;
  }
  std::optional<double> delta(const Piece& piece) const override {
    if (!c_) return ScalingOf(*a_, piece).value().delta;
    const double c = *c_;
    double delta = 0;
    if (const auto omega = a_->omega(piece)) delta = 2 * c - c * c * (1 + *omega);
    if (const auto of_a = a_->delta(piece))
      delta = std::max(delta, 1 - std::pow(std::abs(c) * std::sqrt(1 - *of_a) + std::abs(1 - c), 2));
    return delta > 0 ? std::optional(delta) : std::nullopt;
  }
  std::optional<Scaling> scaling(const Piece& piece) const override {
    const auto of_a = ScalingOf(*a_, piece);
    if (!of_a || !c_) return of_a ? std::optional(Scaling{1, of_a->delta}) : std::nullopt;
    return *c_ > 0 ? std::optional(Scaling{of_a->lambda / *c_, of_a->delta}) : std::nullopt;
  }
  std::optional<double> damping(const Piece& piece) const override {
    return c_ || !a_->unbiased() ? std::nullopt : std::optional(Factor(piece));
  }

  template <typename T>
  size_t EncodeParts(const Site& site, Lane& lane, std::span<T> u, std::span<std::byte> out) const {
    return a_->Encode(SiteOfPart(site, 0), lane, std::span<const T>(u), T{1}, std::span<const T>{}, std::span<T>{}, out)
        .bytes;
  }

  template <typename T>
  void DecodeParts(const Site& site, Lane& lane, std::span<const std::byte> payload, std::span<T> out) const {
    DecodePart(*a_, SiteOfPart(site, 0), lane, payload, Into::kWrite, out);
    const T c = static_cast<T>(Factor(site.piece));
    for (T& x : out) x *= c;
  }

 private:
  double Factor(const Piece& piece) const { return c_ ? *c_ : ScalingOf(*a_, piece).value().lambda; }

  std::optional<double> c_;
};

}  // namespace

std::optional<Scaling> ScalingOf(const Compressor& compressor, const Piece& piece) {
  if (const auto omega = compressor.omega(piece)) return Scaling{1 / (1 + *omega), 1 / (1 + *omega)};
  if (const auto* scalable = dynamic_cast<const Scalable*>(&compressor)) return scalable->scaling(piece);
  if (const auto delta = compressor.delta(piece)) return Scaling{1, *delta};
  return std::nullopt;
}

std::shared_ptr<const Compressor> MakeScaled(std::string_view arguments) {
  constexpr std::string_view kSyntax = "an operator and a factor other than 0 (scaled(randk:1%,0.01))";
  const auto parts = CutArguments("scaled", arguments, 2, kSyntax);
  const auto c = ReadNumber(parts[1]);
  if (!c || *c == 0) throw BadCombination("scaled", arguments, fmt::format("expected {}", kSyntax));
  return std::make_shared<Scaled>(ParsePart("scaled", arguments, parts[0]), *c);
}

std::shared_ptr<const Compressor> MakeUnscale(std::string_view arguments) {
  const auto parts = CutArguments("unscale", arguments, 1, "an operator that is not contractive (unscale(qsgd:7))");
  Part a = ParsePart("unscale", arguments, parts[0]);
  const auto scaling = ScalingOf(*a, Piece::Whole(kPieceNumel));
  if (!scaling || (!a->unbiased() && scaling->lambda == 1))
    throw BadCombination(
        "unscale", arguments,
        fmt::format("{} is not unbiased, and {}; expected e.g. qsgd:7", a->spec(),
                    scaling ? "contractive as it is" : "no factor is known that makes it contractive"));
  return std::make_shared<Scaled>(std::move(a), std::nullopt);
}

}  // namespace gradwire
