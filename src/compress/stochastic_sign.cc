// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "compress/dither.h"
#include "compress/spec.h"
#include "kernels/norm.h"

namespace gradwire {
namespace {

/// Stochastic sign (Safaryan & Richtarik, "Stochastic sign descent methods", ICML 2021): +1 with probability
/// 1/2 + x_j / (2 ||x||_2), else -1; 0 for a piece of zeros. Its mean is the direction x / ||x||, not x. With `norm` it
/// is multiplied by ||x||, and unbiased: ||C(x)||^2 = d ||x||^2 in every draw, so omega = d - 1 exactly.
/// Payload: the factor, 0 for zeros: with `norm` ||x|| (T), else a byte, 0 or 1; then one bit an element.
class StochasticSign final : public Operator<StochasticSign> {
 public:
  explicit StochasticSign(bool norm) : norm_(norm) {}

  std::string spec() const override { return norm_ ? "ssign:norm" : "ssign"; }
  bool unbiased() const override { return norm_; }
  std::optional<double> omega(const Piece& piece) const override {
    return norm_ ? std::optional(static_cast<double>(std::max<size_t>(piece.numel, 1)) - 1) : std::nullopt;
  }
  std::optional<double> delta(const Piece& piece) const override {
    return norm_ ? ContractionOf(*omega(piece)) : std::nullopt;
  }
  size_t Bytes(const Piece& piece, Dtype dtype) const override {
    return piece.numel ? (norm_ ? SizeOf(dtype) : 1) + (piece.numel + 7) / 8 : 0;
  }

  template <typename T>
  void Compress(const Site& site, Lane&, std::span<T> u, std::span<std::byte> out) const {
    if (u.empty()) return;
    const T norm = kernels::NormOf<T>(u, kernels::Norm::kL2), factor = norm_ ? norm : T(norm > 0);
    if (norm_)
      StoreAt(out, 0, factor);
    else
      StoreAt(out, 0, static_cast<uint8_t>(factor));
    if (norm == 0) return std::fill(Bits<T>(out.data()), Bits<T>(out.data()) + (u.size() + 7) / 8, uint8_t{0});
    const kernels::Levels<T> levels = BinaryLevels{1}.Of(norm);
    const Draws draws = DrawsOf(site);
    kernels::ForBlocks(u.size(), [&](size_t first, size_t n) {
      kernels::TossSigns<T>(draws, first, levels, factor, u.subspan(first, n), Bits<T>(out.data()) + first / 8);
    });
  }

  template <typename T>
  void Add(const Site&, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    if (out.empty()) return;
    const T factor = norm_ ? LoadAt<T>(payload, 0) : static_cast<T>(LoadAt<uint8_t>(payload, 0));
    if (!(factor >= 0 && factor <= (norm_ ? std::numeric_limits<T>::max() : T{1})))
      throw PayloadError(spec() + " payload whose factor is " + std::to_string(factor) + ", expected " +
                         (norm_ ? "finite and not negative" : "0 or 1"));
    const kernels::Signs<T> signs = {reinterpret_cast<const std::byte*>(&factor), /*one_scale=*/true,
                                     Bits<T>(payload.data()), weight};
    kernels::SumSigns<T>({&signs, 1}, Into::kAdd, out);
  }

 private:
  /// Where the bits begin.
  template <typename T, typename Byte>
  auto Bits(Byte* payload) const {
    using To = std::conditional_t<std::is_const_v<Byte>, const uint8_t, uint8_t>;
    return reinterpret_cast<To*>(payload) + (norm_ ? sizeof(T) : 1);
  }

  bool norm_;
};

}  // namespace

std::shared_ptr<const Compressor> MakeStochasticSign(std::string_view argument) {
  if (!argument.empty() && argument != "norm")
    throw BadArgument("ssign", argument, "ssign (a direction) or ssign:norm (unbiased)");
  return std::make_shared<StochasticSign>(!argument.empty());
}

}  // namespace gradwire
