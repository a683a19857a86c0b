// SPDX-License-Identifier: Apache-2.0
#include "compress/operator.h"
#include "compress/spec.h"
#include "kernels/sign.h"

namespace gradwire {
namespace {

using kernels::kSignBlock;

/// Scaled sign by blocks of 1,024 elements: C(x) = (||x||_1 / B) sign(x) in each block, sign(0) = +1 (METHODS O4;
/// Karimireddy et al., "Error feedback fixes SignSGD", ICML 2019, with a scale a block).
/// Payload: a scale (T) per block, then one bit an element.
class Sign final : public Operator<Sign> {
 public:
  std::string spec() const override { return "sign"; }
  bool unbiased() const override { return false; }
  std::optional<double> omega(const Piece&) const override { return std::nullopt; }
  /// ||x||_1^2 / (B ||x||^2) >= 1/B, attained by one non-zero element.
  std::optional<double> delta(const Piece& piece) const override {
    return 1.0 / static_cast<double>(std::clamp<size_t>(piece.numel, 1, kSignBlock));
  }
  size_t Bytes(const Piece& piece, Dtype dtype) const override {
    return Blocks(piece.numel) * SizeOf(dtype) + (piece.numel + 7) / 8;
  }

  template <typename T>
  void Compress(const Site&, Lane&, std::span<T> u, std::span<std::byte> out) const {
    const std::span<std::byte> bits = out.subspan(Blocks(u.size()) * sizeof(T));
    for (size_t block = 0, at = 0; at < u.size(); ++block, at += kSignBlock) {
      const std::span<T> part = u.subspan(at, std::min(kSignBlock, u.size() - at));
      const T scale = kernels::MeanMagnitude<T>(part);
      StoreAt(out, block, scale);
      kernels::PackSigns<T>(part, reinterpret_cast<uint8_t*>(bits.data()) + at / 8);
      kernels::SubtractSigns(part, scale);
    }
  }

  template <typename T>
  void Add(const Site&, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    const auto* bits = reinterpret_cast<const uint8_t*>(payload.data()) + Blocks(out.size()) * sizeof(T);
    for (size_t block = 0, at = 0; at < out.size(); ++block, at += kSignBlock) {
      const T scale = LoadAt<T>(payload, block);
      if (!(scale >= 0 && scale <= std::numeric_limits<T>::max()))
        throw PayloadError("sign payload whose scale of block " + std::to_string(block) + " is " +
                           std::to_string(scale) + ", expected finite and not negative");
      kernels::AddSigns(bits + at / 8, weight * scale, out.subspan(at, std::min(kSignBlock, out.size() - at)));
    }
  }

 private:
  static size_t Blocks(size_t numel) { return (numel + kSignBlock - 1) / kSignBlock; }
};

}  // namespace

std::shared_ptr<const Compressor> MakeSign(std::string_view argument) {
  RefuseArgument("sign", argument);
  return std::make_shared<Sign>();
}

}  // namespace gradwire
