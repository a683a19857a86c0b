// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "compress/operator.h"
#include "compress/spec.h"
#include "kernels/kernels.h"

namespace gradwire {
namespace {

struct Half {
  static constexpr uint16_t kExponentBits = 0x7c00;
  static constexpr const char* kName = "fp16";
  static constexpr int kTop = 15;            // the largest magnitude of a piece is brought to [2^14, 2^15)
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

/// A 16-bit cast to nearest even, after each piece was multiplied by the power of two that brings its largest magnitude
/// to the upper end of the format: gradients of any size neither overflow nor vanish, so delta holds for all input.
/// Payload: int32 exponent, then 16 bits an element.
template <typename Format>
class Cast final : public Operator<Cast<Format>> {
 public:
  std::string spec() const override { return Format::kName; }
  bool unbiased() const override { return false; }  // rounds to nearest
  std::optional<double> omega(const Piece&) const override { return std::nullopt; }
  std::optional<double> delta(const Piece&) const override { return 1 - Format::kError; }
  size_t Bytes(const Piece& piece, Dtype) const override { return piece.numel ? kHeader + 2 * piece.numel : 0; }

  template <typename T>
  void Compress(const Site&, Lane&, std::span<T> u, std::span<std::byte> out) const {
    if (u.empty()) return;
    const int32_t exponent = Exponent<T>(u);
    StoreAt(out, 0, exponent);
    Format::template kCast<T>(u, exponent, out.data() + kHeader);
  }

  template <typename T>
  void Add(const Site&, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    if (out.empty()) return;
    const int32_t exponent = LoadAt<int32_t>(payload, 0);
    if (exponent < -1100 || exponent > 1100)  // beyond the exponents of finite doubles
      throw PayloadError(spec() + " payload with exponent " + std::to_string(exponent) + ", expected -1100..1100");
    const std::byte* codes = payload.data() + kHeader;
    if (kernels::AnyCodeHas<T>(codes, out.size(), Format::kExponentBits))
      throw PayloadError(spec() + " payload with a non-finite element");
    Format::template kAdd<T>(codes, exponent, weight, out);
  }

 private:
  static constexpr size_t kHeader = sizeof(int32_t);

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
