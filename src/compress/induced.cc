// SPDX-License-Identifier: Apache-2.0
#include "compress/combination.h"
#include "gradwire/wire.h"

namespace gradwire {
namespace {

/// E||C(x) - x||^2 <= this times ||x||^2.
std::optional<double> RelativeError(const Compressor& compressor, const Piece& piece) {
  if (const auto delta = compressor.delta(piece)) return 1 - *delta;
  return compressor.omega(piece);
}

/// C(x) = A(x) + B(x - A(x)), A any operator, B unbiased: unbiased, and better than B alone by what A has taken
/// (METHODS O14; Horvath & Richtarik, "A better alternative to error feedback", ICLR 2021). E||C(x) - x||^2 <= omega_B
/// E||x - A(x)||^2, so omega = omega_B (1 - delta_A), or omega_B omega_A where A is unbiased. Payload: A's, zeros up to
/// a multiple of 16 bytes, B's.
class Induced final : public Combination<Induced> {
 public:
  Induced(Part a, Part b) : a_(std::move(a)), b_(std::move(b)) {}

  std::string spec() const override { return "induced(" + a_->spec() + "," + b_->spec() + ")"; }
  bool unbiased() const override { return true; }
  std::optional<double> omega(const Piece& piece) const override {
    return RelativeError(*a_, piece).value() * b_->omega(piece).value();
  }
  std::optional<double> delta(const Piece& piece) const override { return ContractionOf(*omega(piece)); }
  Scope scope() const override { return std::max(a_->scope(), b_->scope()); }
  bool variable() const override { return b_->variable(); }
  size_t Bytes(const Piece& piece, Dtype dtype) const override { return Begin(piece, dtype) + b_->Bytes(piece, dtype); }

  template <typename T>
  size_t EncodeParts(const Site& site, Lane& lane, std::span<T> u, std::span<std::byte> out) const {
    const size_t begin = Begin(site.piece, kDtypeOf<T>), bytes = a_->Bytes(site.piece, kDtypeOf<T>);
    const std::span<const T> whole = u, none;
    a_->Encode(SiteOfPart(site, 0), lane, whole, T{1}, none, u, out.first(bytes));
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(bytes), out.begin() + static_cast<std::ptrdiff_t>(begin),
              std::byte{0});
    return begin + b_->Encode(SiteOfPart(site, 1), lane, whole, T{1}, none, std::span<T>{}, out.subspan(begin));
  }

  template <typename T>
  void DecodeParts(const Site& site, Lane& lane, std::span<const std::byte> payload, std::span<T> out) const {
    const size_t begin = Begin(site.piece, kDtypeOf<T>);
    if (payload.size() < begin)
      throw PayloadError(spec() + " payload of " + std::to_string(payload.size()) + " bytes, expected at least " +
                         std::to_string(begin));
    DecodePart(*a_, SiteOfPart(site, 0), lane, payload.first(a_->Bytes(site.piece, kDtypeOf<T>)), false, out);
    DecodePart(*b_, SiteOfPart(site, 1), lane, payload.subspan(begin), true, out);
  }

 private:
  /// Where B's payload begins.
  size_t Begin(const Piece& piece, Dtype dtype) const { return AlignPayload(a_->Bytes(piece, dtype)); }

  Part a_, b_;
};

}  // namespace

std::shared_ptr<const Compressor> MakeInduced(std::string_view arguments) {
  const auto parts = CutArguments("induced", arguments, 2, "two operators (induced(topk:1%,randk:1%))");
  const auto refuse = [&](const std::string& reason) { return BadCombination("induced", arguments, reason); };
  Part a = ParsePart("induced", arguments, parts[0]), b = ParsePart("induced", arguments, parts[1]);
  const Piece piece = Piece::Whole(kPieceNumel);
  if (!b->unbiased() || !b->omega(piece))
    throw refuse("the second operator has to be unbiased, which " + b->spec() + " is not; expected e.g. randk:1%");
  if (!RelativeError(*a, piece))
    throw refuse("the error of the first operator has to be bounded, which that of " + a->spec() +
                 " is not, so there is no omega; expected e.g. topk:1%");
  if (a->variable())
    throw refuse("payloads of the first operator have to be of fixed size, which those of " + a->spec() + " are not");
  return std::make_shared<Induced>(std::move(a), std::move(b));
}

}  // namespace gradwire
