// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "compress/combination.h"
#include "compress/scaled.h"

namespace gradwire {
namespace {

/// C(x) = A(B(x)): A after B, drawn independently. Its payload is A's.
///
/// Both unbiased: omega = (1 + omega_A)(1 + omega_B) - 1.
/// B contractive, with y = B(x):
/// * A = Q/(1 + omega), a = 1/(1 + omega): E||A(y) - x||^2 <= a ||y||^2 - 2a <y, x> + ||x||^2 = (1 - a) ||x||^2 + a ||y
/// - x||^2,
///   so delta = a delta_B.
/// * A unbiased: E||A(y) - x||^2 <= omega_A ||y||^2 + ||y - x||^2 and ||y|| <= (1 + sqrt(1 - delta_B)) ||x||,
///   so delta = delta_B - omega_A (1 + sqrt(1 - delta_B))^2, where that is above 0.
/// A unbiased, B contractive once it is multiplied by l: by a l the whole is, as in the first case with l y for y, with
/// delta = a delta_B.
class Composed final : public WithPayloadOfA<Composed>, public Scalable {
 public:
  Composed(Part a, Part b) : WithPayloadOfA(std::move(a)), b_(std::move(b)) {}

  std::string spec() const override { return "compose(" + a_->spec() + "," + b_->spec() + ")"; }
  bool unbiased() const override { return a_->unbiased() && b_->unbiased(); }
  bool linear() const override { return a_->linear() && b_->linear(); }
  std::optional<double> omega(const Piece& piece) const override {
    const auto of_a = a_->omega(piece), of_b = b_->omega(piece);
    return of_a && of_b ? std::optional((1 + *of_a) * (1 + *of_b) - 1) : std::nullopt;
  }
  std::optional<double> delta(const Piece& piece) const override {
    if (const auto w = omega(piece)) return ContractionOf(*w);
    const auto of_b = b_->delta(piece);
    if (!of_b) return std::nullopt;
    const auto* damped = dynamic_cast<const Scalable*>(a_.get());
    if (const auto a = damped ? damped->damping(piece) : std::nullopt) return *a * *of_b;
    const auto w = a_->omega(piece);
    const double delta = w ? *of_b - *w * std::pow(1 + std::sqrt(1 - *of_b), 2) : 0;
    return delta > 0 ? std::optional(delta) : std::nullopt;
  }
  std::optional<Scaling> scaling(const Piece& piece) const override {
    const auto w = a_->omega(piece);
    const auto of_b = ScalingOf(*b_, piece);
    if (w && of_b) return Scaling{of_b->lambda / (1 + *w), of_b->delta / (1 + *w)};
    const auto of_both = delta(piece);
    return of_both ? std::optional(Scaling{1, *of_both}) : std::nullopt;
  }
  Scope scope() const override { return std::max(a_->scope(), b_->scope()); }
  bool sees_shape() const override { return a_->sees_shape() || b_->sees_shape(); }

  template <typename T>
  size_t EncodeParts(const Site& site, Lane& lane, std::span<T> u, std::span<std::byte> out) const {
    const std::span<const T> x = u, none;
    std::span<std::byte> bytes = lane.scratch.Take<std::byte>(b_->Bytes(site.piece, kDtypeOf<T>));
    bytes = bytes.first(b_->Encode(SiteOfPart(site, 1), lane, x, T{1}, none, std::span<T>{}, bytes).bytes);
    DecodePart(*b_, SiteOfPart(site, 1), lane, bytes, Into::kWrite, u);
    return a_->Encode(SiteOfPart(site, 0), lane, x, T{1}, none, std::span<T>{}, out).bytes;
  }

  template <typename T>
  void DecodeParts(const Site& site, Lane& lane, std::span<const std::byte> payload, std::span<T> out) const {
    DecodePart(*a_, SiteOfPart(site, 0), lane, payload, Into::kWrite, out);
  }

 private:
  Part b_;
};

}  // namespace

std::shared_ptr<const Compressor> MakeCompose(std::string_view arguments) {
  const auto parts =
      CutArguments("compose", arguments, 2, "two operators, the second acts first (compose(fp16,topk:1%))");
  return std::make_shared<Composed>(ParsePart("compose", arguments, parts[0]),
                                    ParsePart("compose", arguments, parts[1]));
}

}  // namespace gradwire
