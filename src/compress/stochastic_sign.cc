// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "compress/operator.h"
#include "compress/spec.h"
#include "compress/stream.h"

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

  /// The norm is of the whole piece: two sweeps, the second out of the second-level cache.
  template <typename T>
  EncodeResult EncodeSource(const Site& site, Lane& lane, kernels::Source<T> source, std::span<std::byte> out) const {
    if (source.n == 0) return {0, true};
    const std::span<T> left = source.left;
    if (left.empty()) source.left = lane.scratch.Take<T>(source.n);
    const bool finite = kernels::AddChecked(source);
    const std::span<const T> u = source.left;
    const T norm = kernels::NormOf<T>(u, kernels::Norm::kL2), factor = norm_ ? norm : T(norm > 0);
    if (norm_)
      StoreAt(out, 0, factor);
    else
      StoreAt(out, 0, static_cast<uint8_t>(factor));
    if (norm == 0)
      std::fill_n(Bits<T>(out.data()), (u.size() + 7) / 8, uint8_t{0});
    else
      kernels::TossSigns<T>(DrawsOf(site), norm, factor, u, left, Bits<T>(out.data()));
    return {out.size(), finite};
  }

  template <typename T>
  void DecodeAs(const Site& site, Lane& lane, std::span<const Payload> payloads, std::span<const T> weights, Into into,
                std::span<T> out) const {
    const Scratch::Scope scope(lane.scratch);
    const std::span<T> factors = lane.scratch.Take<T>(payloads.size());
    const std::span<kernels::Signs<T>> all = lane.scratch.Take<kernels::Signs<T>>(payloads.size());
    ForEachOf<T>(site, payloads, [&](const Site&, size_t r) {
      if (out.empty()) return;
      const std::span<const std::byte> payload = payloads[r].bytes;
      factors[r] = norm_ ? LoadAt<T>(payload, 0) : static_cast<T>(LoadAt<uint8_t>(payload, 0));
      CheckFactor(factors[r]);
      all[r] = {reinterpret_cast<const std::byte*>(&factors[r]), /*one_scale=*/true, Bits<T>(payload.data()),
                weights[r]};
    });
    if (!out.empty()) kernels::SumSigns<T>(all, into, out);
  }

 private:
  template <typename T>
  void CheckFactor(T factor) const {
    if (!(factor >= 0 && factor <= (norm_ ? std::numeric_limits<T>::max() : T{1})))
      throw PayloadError(spec() + " payload whose factor is " + std::to_string(factor) + ", expected " +
                         (norm_ ? "finite and not negative" : "0 or 1"));
  }

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
