// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "compress/operator.h"
#include "compress/spec.h"
#include "compress/stream.h"
#include "kernels/codes.h"

namespace gradwire {
namespace {

/// Stochastic sign (Safaryan & Richtarik, "Stochastic sign descent methods", ICML 2021): +1 with probability
/// 1/2 + x_j / (2 ||x||_2), else -1; 0 of zeros. Its mean is the direction x / ||x||, not x. With `norm` it is
/// multiplied by ||x||, and unbiased: ||C(x)||^2 = B ||x||^2 in every draw, so omega = B - 1 exactly. x is a block of B
/// = 1,024 elements, not the whole piece: omega no longer grows with it, and a block is taken while it lies in the
/// first-level cache. What is proved of the direction holds: <x, E C(x)> is the sum of the blocks' norms, which is at
/// least ||x||. Payload: a value a block, 0 of zeros: with `norm` ||x|| (T), else a byte, 0 or 1; then one bit an
/// element.
class StochasticSign final : public Operator<StochasticSign> {
 public:
  explicit StochasticSign(bool norm) : norm_(norm) {}

  std::string spec() const override { return norm_ ? "ssign:norm" : "ssign"; }
  bool unbiased() const override { return norm_; }
  std::optional<double> omega(const Piece& piece) const override {
    if (!norm_) return std::nullopt;
    return static_cast<double>(std::clamp<size_t>(piece.numel, 1, kernels::kBlock)) - 1;
  }
  std::optional<double> delta(const Piece& piece) const override {
    return norm_ ? ContractionOf(*omega(piece)) : std::nullopt;
  }
  size_t Bytes(const Piece& piece, Dtype dtype) const override {
    return kernels::BlocksOf(piece.numel) * (norm_ ? SizeOf(dtype) : 1) + (piece.numel + 7) / 8;
  }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype, std::span<const std::byte>) const override {
    return (norm_ ? rule.Numbers(kernels::BlocksOf(piece.numel)) : 0) + piece.numel;
  }

  template <typename T>
  EncodeResult EncodeSource(const Site& site, Lane& lane, const kernels::Source<T>& source,
                            std::span<std::byte> out) const {
    const size_t blocks = kernels::BlocksOf(source.n);
    uint8_t* const bits = reinterpret_cast<uint8_t*>(out.data()) + blocks * (norm_ ? sizeof(T) : 1);
    if (norm_) return {out.size(), kernels::EncodeTossed<T>(source, /*unit=*/false, DrawsOf(site), out.data(), bits)};
    const Scratch::Scope scope(lane.scratch);
    const std::span<T> values = lane.scratch.Take<T>(blocks);
    const bool finite = kernels::EncodeTossed<T>(source, /*unit=*/true, DrawsOf(site),
                                                 reinterpret_cast<std::byte*>(values.data()), bits);
    for (size_t block = 0; block < blocks; ++block) StoreAt(out, block, static_cast<uint8_t>(values[block]));
    return {out.size(), finite};
  }

  template <typename T>
  void DecodeAs(const Site& site, Lane& lane, std::span<const Payload> payloads, std::span<const T> weights, Into into,
                std::span<T> out) const {
    const Scratch::Scope scope(lane.scratch);
    const std::span<kernels::Signs<T>> all = lane.scratch.Take<kernels::Signs<T>>(payloads.size());
    const size_t blocks = kernels::BlocksOf(out.size());
    ForEachOf<T>(site, payloads, [&](const Site&, size_t r) {
      const std::span<const std::byte> payload = payloads[r].bytes;
      const std::span<T> values = lane.scratch.Take<T>(blocks);
      for (size_t block = 0; block < blocks; ++block) values[block] = Value<T>(payload, block);
      all[r] = {reinterpret_cast<const std::byte*>(values.data()), /*one_scale=*/false,
                reinterpret_cast<const uint8_t*>(payload.data()) + blocks * (norm_ ? sizeof(T) : 1), weights[r]};
    });
    kernels::SumSigns<T>(all, into, out);
  }

 private:
  template <typename T>
  T Value(std::span<const std::byte> payload, size_t block) const {
    const T value = norm_ ? LoadAt<T>(payload, block) : static_cast<T>(LoadAt<uint8_t>(payload, block));
    if (!(value >= 0 && value <= (norm_ ? std::numeric_limits<T>::max() : T{1})))
      throw PayloadError(spec() + " payload whose value of block " + std::to_string(block) + " is " +
                         std::to_string(value) + ", expected " + (norm_ ? "finite and not negative" : "0 or 1"));
    return value;
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
