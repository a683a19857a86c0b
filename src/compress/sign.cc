// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "compress/operator.h"
#include "compress/spec.h"

namespace gradwire {
namespace {

/// Elements that share a scale. 1,024 keeps the state a plain residual, approximates better than one scale a tensor,
/// and costs 1/32 bit an element.
constexpr size_t kSignBlock = 1024;

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
    return 1.0 / static_cast<double>(std::clamp<size_t>(piece.numel, 1, Block(piece.numel)));
  }
  size_t Bytes(const Piece& piece, Dtype dtype) const override {
    return Blocks(piece.numel) * SizeOf(dtype) + (piece.numel + 7) / 8;
  }

  template <typename T>
  void Compress(const Site&, Lane&, std::span<T> u, std::span<std::byte> out) const {
    const std::span<std::byte> bits = out.subspan(Blocks(u.size()) * sizeof(T));
    for (size_t block = 0, at = 0; at < u.size(); ++block, at += Block(u.size())) {
      const std::span<T> part = u.subspan(at, std::min(Block(u.size()), u.size() - at));
      const T scale = kernels::MeanMagnitude<T>(part);
      StoreAt(out, block, scale);
      kernels::PackSigns<T>(part, reinterpret_cast<uint8_t*>(bits.data()) + at / 8);
      kernels::SubtractSigns<T>(part, scale);
    }
  }

  template <typename T>
  void Add(const Site&, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    const auto* bits = reinterpret_cast<const uint8_t*>(payload.data()) + Blocks(out.size()) * sizeof(T);
    for (size_t block = 0, at = 0; at < out.size(); ++block, at += Block(out.size())) {
      const T scale = LoadAt<T>(payload, block);
      if (!(scale >= 0 && scale <= std::numeric_limits<T>::max()))
        throw PayloadError("sign payload whose scale of block " + std::to_string(block) + " is " +
                           std::to_string(scale) + ", expected finite and not negative");
      kernels::AddSigns(bits + at / 8, weight * scale, out.subspan(at, std::min(Block(out.size()), out.size() - at)));
    }
  }

 private:
  size_t Block(size_t numel) const { return exact_ ? std::max<size_t>(numel, 1) : kSignBlock; }
  size_t Blocks(size_t numel) const { return (numel + Block(numel) - 1) / Block(numel); }

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
    kernels::AddSigns(reinterpret_cast<const uint8_t*>(payload.data()) + 1, weight, out);
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
