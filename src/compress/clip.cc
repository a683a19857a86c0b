// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>

#include "compress/operator.h"
#include "compress/spec.h"
#include "kernels/norm.h"

namespace gradwire {
namespace {

/// min(1, tau / ||x||_2) x (Khirirat et al., "Clip21: error feedback for gradient clipping", 2023), with the norm over
/// all pieces of the model that are compressed, or of each piece by itself (McMahan et al., ICLR 2018, arXiv
/// 1710.06963, "per-layer").
/// ||C(x) - x|| = max(0, ||x|| - tau): contractive, but with a delta that depends on
/// ||x||, so none is declared. Nothing is saved on the wire. Payload: the clipped elements (T).
class Clip final : public Operator<Clip> {
 public:
  /// `norm`: of the whole model, where more is clipped by it than the piece at hand.
  Clip(double tau, bool each_piece, std::optional<double> norm = {})
      : tau_(tau), each_piece_(each_piece), norm_(norm) {}

  std::string spec() const override { return fmt::format("clip:{}{}", tau_, each_piece_ ? ":piece" : ""); }
  bool unbiased() const override { return false; }
  std::optional<double> omega(const Piece&) const override { return std::nullopt; }
  std::optional<double> delta(const Piece&) const override { return std::nullopt; }
  bool contracts(const Piece&) const override { return true; }
  Scope scope() const override { return each_piece_ ? Scope::kPiece : Scope::kModel; }
  std::shared_ptr<const Compressor> ForNorm(double norm) const override {
    return each_piece_ ? nullptr : std::make_shared<Clip>(tau_, false, norm);
  }
  size_t Bytes(const Piece& piece, Dtype dtype) const override { return piece.numel * SizeOf(dtype); }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype, std::span<const std::byte>) const override {
    return rule.Numbers(piece.numel);
  }

  template <typename T>
  void Compress(const Site&, Lane&, std::span<T> u, std::span<std::byte> out) const {
    const double factor = norm_ ? std::min(1.0, tau_ / *norm_) : FactorOf<T>(u);
    for (size_t i = 0; i < u.size(); ++i) {
      const T clipped = static_cast<T>(factor * static_cast<double>(u[i]));
      StoreAt(out, i, clipped);
      u[i] -= clipped;
    }
  }

  template <typename T>
  void Add(const Site&, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    kernels::AddValues(payload.data(), T{1}, weight, out);
  }

 private:
  template <typename T>
  double FactorOf(std::span<const T> u) const {
    const kernels::ScaledNorm norm = kernels::NormScaled<T>(u, kernels::Norm::kL2);
    const double limit = tau_ * norm.scale;
    return norm.value > limit ? limit / norm.value : 1;
  }

  double tau_;
  bool each_piece_;
  std::optional<double> norm_;
};

}  // namespace

std::shared_ptr<const Compressor> MakeClip(std::string_view argument) {
  constexpr std::string_view kEach = ":piece";
  const bool each_piece = argument.ends_with(kEach);
  const auto tau = ReadNumber(argument.substr(0, argument.size() - (each_piece ? kEach.size() : 0)));
  if (!tau || *tau <= 0)
    throw BadArgument("clip", argument, "a norm above 0, perhaps of each piece (clip:1, clip:1:piece)");
  return std::make_shared<Clip>(*tau, each_piece);
}

}  // namespace gradwire
