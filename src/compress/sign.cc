// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "compress/operator.h"
#include "compress/spec.h"

namespace gradwire {
namespace {

/// Elements that share a scale. 1,024 keeps the state a plain residual, approximates better than one scale a tensor,
/// and costs 1/32 bit an element.
constexpr size_t kSignBlock = kernels::kBlock;

/// Throws PayloadError unless scale `block` of a payload is one.
template <typename T>
void CheckScale(T scale, size_t block) {
  if (!(scale >= 0 && scale <= std::numeric_limits<T>::max()))
    throw PayloadError("sign payload whose scale of block " + std::to_string(block) + " is " + std::to_string(scale) +
                       ", expected finite and not negative");
}

/// Scaled sign: C(x) = (||x||_1 / B) sign(x) in each block of B elements, sign(0) = +1 (Karimireddy et al., "Error
/// feedback fixes SignSGD", ICML 2019). A block has 1,024 elements, or, with `exact`, the whole piece, as in the paper.
/// Payload: a scale (T) per block, then one bit an element.
class Sign final : public Operator<Sign> {
 public:
  explicit Sign(bool exact) : exact_(exact) {}

  std::string spec() const override { return exact_ ? "sign:exact" : "sign"; }
  bool unbiased() const override { return false; }
  std::optional<double> omega(const Piece&) const override { return std::nullopt; }
  /// ||x||_1^2 / (B ||x||^2) >= 1/B, attained by one non-zero element.
  std::optional<double> delta(const Piece& piece) const override {
    const size_t block = exact_ ? piece.numel : std::min(piece.numel, kSignBlock);
    return 1.0 / static_cast<double>(std::max<size_t>(block, 1));
  }
  size_t Bytes(const Piece& piece, Dtype dtype) const override {
    return Scales(piece.numel) * SizeOf(dtype) + (piece.numel + 7) / 8;
  }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype, std::span<const std::byte>) const override {
    return rule.Numbers(Scales(piece.numel)) + piece.numel;
  }

  template <typename T>
  EncodeResult EncodeSource(const Site& site, Lane& lane, const kernels::Source<T>& source,
                            std::span<std::byte> out) const {
    if (exact_) return Operator::EncodeSource<T>(site, lane, source, out);
    return {out.size(), kernels::EncodeSigns<T>(source, out.data(), Bits(out, source.n, sizeof(T)))};
  }

  template <typename T>
  void Compress(const Site&, Lane&, std::span<T> u, std::span<std::byte> out) const {
    if (u.empty()) return;
    const T scale = kernels::MeanMagnitude<T>(u);
    StoreAt(out, 0, scale);
    kernels::PackSigns<T>(u, Bits(out, u.size(), sizeof(T)));
    kernels::SubtractSigns<T>(u, scale);
  }

  template <typename T>
  void DecodeAs(const Site& site, Lane& lane, std::span<const Payload> payloads, std::span<const T> weights, Into into,
                std::span<T> out) const {
    const Scratch::Scope scope(lane.scratch);
    const std::span<kernels::Signs<T>> all = lane.scratch.Take<kernels::Signs<T>>(payloads.size());
    const size_t scales = Scales(out.size());
    ForEachOf<T>(site, payloads, [&](const Site&, size_t r) {
      const std::span<const std::byte> payload = payloads[r].bytes;
      for (size_t block = 0; block < scales; ++block) CheckScale(LoadAt<T>(payload, block), block);
      all[r] = {payload.data(), exact_, reinterpret_cast<const uint8_t*>(payload.data()) + scales * sizeof(T),
                weights[r]};
    });
    kernels::SumSigns<T>(all, into, out);
  }

 private:
  size_t Scales(size_t numel) const { return exact_ ? numel > 0 : (numel + kSignBlock - 1) / kSignBlock; }
  uint8_t* Bits(std::span<std::byte> out, size_t numel, size_t size_of) const {
    return reinterpret_cast<uint8_t*>(out.data()) + Scales(numel) * size_of;
  }

  bool exact_;
};

/// sign(x) without a scale, sign(0) = +1, but 0 for a piece of zeros (Bernstein et al., "signSGD", ICML 2018). No
/// contraction: its length does not depend on x. Payload: a byte, 0 for zeros, else 1; then one bit an element.
class PlainSign final : public Operator<PlainSign> {
 public:
  std::string spec() const override { return "sign:plain"; }
  bool unbiased() const override { return false; }
  std::optional<double> omega(const Piece&) const override { return std::nullopt; }
  std::optional<double> delta(const Piece&) const override { return std::nullopt; }
  size_t Bytes(const Piece& piece, Dtype) const override { return piece.numel ? 1 + (piece.numel + 7) / 8 : 0; }
  uint64_t PaperBits(const BitRule&, const Piece& piece, Dtype, std::span<const std::byte>) const override {
    return piece.numel;
  }

  template <typename T>
  void Compress(const Site&, Lane&, std::span<T> u, std::span<std::byte> out) const {
    if (u.empty()) return;
    const bool any = kernels::AnyNonZero<T>(u);
    out[0] = std::byte{any};
    kernels::PackSigns<T>(u, reinterpret_cast<uint8_t*>(out.data()) + 1);
    if (any) kernels::SubtractSigns(u, T{1});
  }

  template <typename T>
  void Add(const Site&, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    if (out.empty()) return;
    if (payload[0] > std::byte{1}) throw PayloadError("sign:plain payload whose first byte is neither 0 nor 1");
    if (payload[0] == std::byte{0}) return;
    const T one = 1;
    const kernels::Signs<T> signs = {reinterpret_cast<const std::byte*>(&one), /*one_scale=*/true,
                                     reinterpret_cast<const uint8_t*>(payload.data()) + 1, weight};
    kernels::SumSigns<T>({&signs, 1}, Into::kAdd, out);
  }
};

}  // namespace

std::shared_ptr<const Compressor> MakeSign(std::string_view argument) {
  if (argument == "plain") return std::make_shared<PlainSign>();
  if (!argument.empty() && argument != "exact")
    throw BadArgument("sign", argument,
                      "sign (a scale a block), sign:exact (a scale a piece) or sign:plain (no scale)");
  return std::make_shared<Sign>(!argument.empty());
}

}  // namespace gradwire
