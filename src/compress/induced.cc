// SPDX-License-Identifier: Apache-2.0
#include "compress/combination.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

/// E||C(x) - x||^2 <= this times ||x||^2.
std::optional<double> RelativeError(const Compressor& compressor, const Piece& piece) {
  if (const auto delta = compressor.delta(piece)) return 1 - *delta;
  return compressor.omega(piece);
}

/// What C(x) = A(x) + B(x - A(x)) is made for. Payload of both: A's, zeros up to a multiple of 16 bytes, B's.
///
/// kInduced: A any operator, B unbiased: unbiased, and better than B alone by what A has taken (Horvath & Richtarik, "A
/// better alternative to error feedback", ICLR 2021). E||C(x) - x||^2 <= omega_B E||x - A(x)||^2, so omega = omega_B
/// (1 - delta_A), or omega_B omega_A where A is unbiased.
///
/// kThen: both contractive, as in 3PCv4 (Richtarik et al., "3PC: three point compressors for communication-efficient
/// distributed training and a better theory for lazy aggregation", ICML 2022). With r = x - A(x), x - C(x) = r - B(r).
/// B draws bits of its own, so for any r that A leaves E||r - B(r)||^2 <= (1 - delta_B) ||r||^2; over A's bits
/// E||r||^2 <= (1 - delta_A) ||x||^2. So 1 - delta = (1 - delta_A)(1 - delta_B).
enum class Kind { kInduced, kThen };

class Successive final : public Combination<Successive> {
 public:
  Successive(Kind kind, Part a, Part b) : kind_(kind), a_(std::move(a)), b_(std::move(b)) {}

  std::string spec() const override {
    return std::string(kind_ == Kind::kThen ? "then(" : "induced(") + a_->spec() + "," + b_->spec() + ")";
  }
  bool unbiased() const override { return kind_ == Kind::kInduced; }
  std::optional<double> omega(const Piece& piece) const override {
    if (kind_ == Kind::kThen) return std::nullopt;
    return RelativeError(*a_, piece).value() * b_->omega(piece).value();
  }
  std::optional<double> delta(const Piece& piece) const override {
    if (kind_ == Kind::kInduced) return ContractionOf(*omega(piece));
    const auto of_a = a_->delta(piece), of_b = b_->delta(piece);
    return of_a && of_b ? std::optional(1 - (1 - *of_a) * (1 - *of_b)) : std::nullopt;
  }
  Scope scope() const override { return std::max(a_->scope(), b_->scope()); }
  bool sees_shape() const override { return a_->sees_shape() || b_->sees_shape(); }
  bool variable() const override { return b_->variable(); }
  size_t Bytes(const Piece& piece, Dtype dtype) const override { return Begin(piece, dtype) + b_->Bytes(piece, dtype); }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype dtype,
                     std::span<const std::byte> payload) const override {
    return a_->PaperBits(rule, piece, dtype, payload.first(a_->Bytes(piece, dtype))) +
           b_->PaperBits(rule, piece, dtype, payload.subspan(Begin(piece, dtype)));
  }

  template <typename T>
  size_t EncodeParts(const Site& site, Lane& lane, std::span<T> u, std::span<std::byte> out) const {
    const size_t begin = Begin(site.piece, kDtypeOf<T>), bytes = a_->Bytes(site.piece, kDtypeOf<T>);
    const std::span<const T> whole = u, none;
    a_->Encode(SiteOfPart(site, 0), lane, whole, T{1}, none, u, out.first(bytes));
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(bytes), out.begin() + static_cast<std::ptrdiff_t>(begin),
              std::byte{0});
    return begin + b_->Encode(SiteOfPart(site, 1), lane, whole, T{1}, none, std::span<T>{}, out.subspan(begin)).bytes;
  }

  template <typename T>
  void DecodeParts(const Site& site, Lane& lane, std::span<const std::byte> payload, std::span<T> out) const {
    const size_t begin = Begin(site.piece, kDtypeOf<T>);
    if (payload.size() < begin)
      throw PayloadError(spec() + " payload of " + std::to_string(payload.size()) + " bytes, expected at least " +
                         std::to_string(begin));
    DecodePart(*a_, SiteOfPart(site, 0), lane, payload.first(a_->Bytes(site.piece, kDtypeOf<T>)), Into::kWrite, out);
    DecodePart(*b_, SiteOfPart(site, 1), lane, payload.subspan(begin), Into::kAdd, out);
  }

 private:
  /// Where B's payload begins.
  size_t Begin(const Piece& piece, Dtype dtype) const { return AlignPayload(a_->Bytes(piece, dtype)); }

  Kind kind_;
  Part a_, b_;
};

/// A and B. Throws ConfigError; a receiver finds B's payload only behind one of fixed size.
std::pair<Part, Part> Parts(std::string_view op, std::string_view arguments, std::string_view syntax) {
  const auto parts = CutArguments(op, arguments, 2, syntax);
  Part a = ParsePart(op, arguments, parts[0]), b = ParsePart(op, arguments, parts[1]);
  if (a->variable())
    throw BadCombination(
        op, arguments,
        "payloads of the first operator have to be of fixed size, which those of " + a->spec() + " are not");
  return {std::move(a), std::move(b)};
}

}  // namespace

std::shared_ptr<const Compressor> MakeInduced(std::string_view arguments) {
  const auto [a, b] = Parts("induced", arguments, "two operators (induced(topk:1%,randk:1%))");
  const Piece piece = Piece::Whole(kPieceNumel);
  if (!b->unbiased() || !b->omega(piece))
    throw BadCombination(
        "induced", arguments,
        "the second operator has to be unbiased, which " + b->spec() + " is not; expected e.g. randk:1%");
  if (!RelativeError(*a, piece))
    throw BadCombination("induced", arguments,
                         "the error of the first operator has to be bounded, which that of " + a->spec() +
                             " is not, so there is no omega; expected e.g. topk:1%");
  return std::make_shared<Successive>(Kind::kInduced, a, b);
}

std::shared_ptr<const Compressor> MakeThen(std::string_view arguments) {
  const auto [a, b] = Parts("then", arguments, "two operators (then(topk:1%,sign))");
  for (const Part& part : {a, b})
    if (!part->delta(Piece::Whole(kPieceNumel)))
      throw BadCombination("then", arguments,
                           "both operators have to be contractive, which " + part->spec() +
                               " is not; expected e.g. topk:1%; induced(A,B) takes an unbiased B");
  return std::make_shared<Successive>(Kind::kThen, a, b);
}

}  // namespace gradwire
