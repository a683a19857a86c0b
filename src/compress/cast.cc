// SPDX-License-Identifier: Apache-2.0
#include "kernels/scalar/cast.h"
#include "compress/operator.h"
#include "compress/spec.h"
#include "kernels/codes.h"
#include "kernels/kernels.h"

namespace gradwire {
namespace {

struct Half {
  static constexpr const char* kName = "fp16";
  static constexpr double kError = 0x1p-21;  // (2^-11)^2, twice for the double rounding and the denormal end
  template <typename T>
  static constexpr auto kEncode = kernels::EncodeHalves<T>;
  template <typename T>
  static constexpr auto kSum = kernels::SumHalves<T>;
};

struct Bfloat {
  static constexpr const char* kName = "bf16";
  static constexpr double kError = 0x1p-15;  // (2^-8)^2, twice as above
  template <typename T>
  static constexpr auto kEncode = kernels::EncodeBfloats<T>;
  template <typename T>
  static constexpr auto kSum = kernels::SumBfloats<T>;
};

/// A 16-bit cast to nearest even, after each block of 1,024 elements was multiplied by the power of two that brings its
/// largest magnitude to the upper end of the format: gradients of any size neither overflow nor vanish, so delta holds
/// for all input. Payload: int32 exponent of each block, then 16 bits an element.
template <typename Format>
class Cast final : public Operator<Cast<Format>> {
 public:
  std::string spec() const override { return Format::kName; }
  bool unbiased() const override { return false; }  // rounds to nearest
  std::optional<double> omega(const Piece&) const override { return std::nullopt; }
  std::optional<double> delta(const Piece&) const override { return 1 - Format::kError; }
  size_t Bytes(const Piece& piece, Dtype) const override {
    return kernels::BlocksOf(piece.numel) * sizeof(int32_t) + 2 * piece.numel;
  }

  template <typename T>
  EncodeResult EncodeSource(const Site&, Lane&, const kernels::Source<T>& source, std::span<std::byte> out) const {
    return {out.size(), Format::template kEncode<T>(source, out.data())};
  }

  template <typename T>
  void DecodeAs(const Site& site, Lane& lane, std::span<const Payload> payloads, std::span<const T> weights, Into into,
                std::span<T> out) const {
    const auto check = [&](std::span<const std::byte> payload) {
      for (size_t block = 0; block < kernels::BlocksOf(out.size()); ++block)
        CheckExponent(LoadAt<int32_t>(payload, block));
    };
    this->template SumCoded<T>(
        site, lane, payloads, weights, check, " payload with a non-finite element",
        [&](std::span<const kernels::Coded<T>> all) { return Format::template kSum<T>(all, into, out); });
  }

 private:
  void CheckExponent(int32_t exponent) const {
    constexpr int32_t kLimit = kernels::scalar::kExponentLimit;
    if (exponent < -kLimit || exponent > kLimit)
      throw PayloadError(spec() + " payload with exponent " + std::to_string(exponent) + ", expected -1100..1100");
  }
};

}  // namespace

std::shared_ptr<const Compressor> MakeFp16(std::string_view argument) {
  RefuseArgument("fp16", argument);
  return std::make_shared<Cast<Half>>();
}

std::shared_ptr<const Compressor> MakeBf16(std::string_view argument) {
  RefuseArgument("bf16", argument);
  return std::make_shared<Cast<Bfloat>>();
}

}  // namespace gradwire
