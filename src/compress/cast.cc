// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "compress/operator.h"
#include "compress/spec.h"
#include "kernels/codes.h"
#include "kernels/kernels.h"

namespace gradwire {
namespace {

struct Half {
  static constexpr uint16_t kExponentBits = 0x7c00;
  static constexpr const char* kName = "fp16";
  static constexpr int kTop = 15;            // the largest magnitude of a block is brought to [2^14, 2^15)
  static constexpr double kError = 0x1p-21;  // (2^-11)^2, twice for the double rounding and the denormal end
  template <typename T>
  static constexpr auto kCast = kernels::CastToHalf<T>;
  template <typename T>
  static constexpr auto kAdd = kernels::AddHalves<T>;
};

struct Bfloat {
  static constexpr uint16_t kExponentBits = 0x7f80;
  static constexpr const char* kName = "bf16";
  static constexpr int kTop = 1;
  static constexpr double kError = 0x1p-15;  // (2^-8)^2, twice as above
  template <typename T>
  static constexpr auto kCast = kernels::CastToBfloat<T>;
  template <typename T>
  static constexpr auto kAdd = kernels::AddBfloats<T>;
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
  size_t Bytes(const Piece& piece, Dtype) const override { return HeaderBytes(piece.numel) + 2 * piece.numel; }

  template <typename T>
  void Compress(const Site&, Lane&, std::span<T> u, std::span<std::byte> out) const {
    kernels::ForBlocks(u.size(), [&](size_t first, size_t n) {
      const std::span<T> block = u.subspan(first, n);
      const int32_t exponent = Exponent<T>(block);
      StoreAt(out, first / kernels::CodeSpace::kBlock, exponent);
      Format::template kCast<T>(block, exponent, out.data() + HeaderBytes(u.size()) + 2 * first);
    });
  }

  template <typename T>
  void Add(const Site&, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    kernels::ForBlocks(out.size(), [&](size_t first, size_t n) {
      const int32_t exponent = LoadAt<int32_t>(payload, first / kernels::CodeSpace::kBlock);
      if (exponent < -1100 || exponent > 1100)  // beyond the exponents of finite doubles
        throw PayloadError(spec() + " payload with exponent " + std::to_string(exponent) + ", expected -1100..1100");
      const std::byte* codes = payload.data() + HeaderBytes(out.size()) + 2 * first;
      if (kernels::AnyCodeHas<T>(codes, n, Format::kExponentBits))
        throw PayloadError(spec() + " payload with a non-finite element");
      Format::template kAdd<T>(codes, exponent, weight, out.subspan(first, n));
    });
  }

 private:
  static constexpr size_t HeaderBytes(size_t numel) { return kernels::BlocksOf(numel) * sizeof(int32_t); }

  template <typename T>
  static int32_t Exponent(std::span<const T> u) {
    const T largest = kernels::MaxMagnitude(u);
    if (largest == 0) return 0;
    int exponent;
    std::frexp(largest, &exponent);  // largest = m 2^exponent, m in [1/2, 1)
    return Format::kTop - exponent;
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
