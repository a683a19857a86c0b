// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "base/half.h"
#include "base/wide.h"
#include "compress/operator.h"
#include "compress/spec.h"
#include "kernels/cast.h"
#include "kernels/half_f16c.h"

namespace gradwire {
namespace {

/// 2^e as two factors, so that neither over- nor underflows for any finite double.
struct PowerOfTwo {
  explicit PowerOfTwo(int e) : first(std::ldexp(1.0, e / 2)), second(std::ldexp(1.0, e - e / 2)) {}
  double operator*(double x) const { return x * first * second; }
  double first, second;
};

struct Half {
  static constexpr uint16_t kExponentBits = 0x7c00;
  static constexpr const char* kName = "fp16";
  static constexpr int kTop = 15;            // the largest magnitude of a piece is brought to [2^14, 2^15)
  static constexpr double kError = 0x1p-21;  // (2^-11)^2, twice for the double rounding and the denormal end
  static uint16_t Code(float x) { return ToHalf(x); }
  static float Value(uint16_t code) { return FromHalf(code); }
};

struct Bfloat {
  static constexpr uint16_t kExponentBits = 0x7f80;
  static constexpr const char* kName = "bf16";
  static constexpr int kTop = 1;
  static constexpr double kError = 0x1p-15;  // (2^-8)^2, twice as above
  static uint16_t Code(float x) { return ToBfloat(x); }
  static float Value(uint16_t code) { return FromBfloat(code); }
};

// The loops over floats, by overload of the format.

void CastAll(Half, std::span<float> u, float up, float down, std::byte* codes) {
  if (kernels::HasF16c()) return kernels::CastAndSubtractF16c(u, up, down, codes);
  kernels::CastAndSubtract<kernels::HalfCodes>(u, up, down, codes);
}
GRADWIRE_WIDE void CastAll(Bfloat, std::span<float> u, float up, float down, std::byte* codes) {
  kernels::CastAndSubtract<kernels::BfloatCodes>(u, up, down, codes);
}
void AddAll(Half, const std::byte* codes, float down, float weight, std::span<float> out) {
  if (kernels::HasF16c()) return kernels::AddCodesF16c(codes, down, weight, out);
  kernels::AddCodes<kernels::HalfCodes>(codes, down, weight, out);
}
GRADWIRE_WIDE void AddAll(Bfloat, const std::byte* codes, float down, float weight, std::span<float> out) {
  kernels::AddCodes<kernels::BfloatCodes>(codes, down, weight, out);
}
GRADWIRE_WIDE bool AnyNonFinite(const std::byte* codes, size_t count, uint16_t exponent_bits) {
  return kernels::AnyNonFinite(codes, count, exponent_bits);
}
GRADWIRE_WIDE float MaxMagnitude(std::span<const float> u) { return kernels::MaxMagnitude(u); }
double MaxMagnitude(std::span<const double> u) { return kernels::MaxMagnitude(u); }

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
    const PowerOfTwo up(exponent), down(-exponent);
    StoreAt(out, 0, exponent);
    if constexpr (std::is_same_v<T, float>) {
      if (FitsFloat(exponent)) return CompressFast(u, exponent, out.subspan(kHeader));
    }
    for (size_t i = 0; i < u.size(); ++i) {
      uint16_t code = Format::Code(static_cast<float>(up * static_cast<double>(u[i])));
      T value = Value<T>(code, down);
      if (!std::isfinite(value)) value = Value<T>(--code, down);  // rounded up beyond T's largest
      StoreAt(out.subspan(kHeader), i, code);
      u[i] -= value;
    }
  }

  template <typename T>
  void Add(const Site&, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    if (out.empty()) return;
    const int32_t exponent = LoadAt<int32_t>(payload, 0);
    if (exponent < -1100 || exponent > 1100)  // beyond the exponents of finite doubles
      throw PayloadError(spec() + " payload with exponent " + std::to_string(exponent) + ", expected -1100..1100");
    const PowerOfTwo down(-exponent);
    const std::byte* codes = payload.data() + kHeader;
    if (AnyNonFinite(codes, out.size(), Format::kExponentBits))
      throw PayloadError(spec() + " payload with a non-finite element");
    if constexpr (std::is_same_v<T, float>) {
      if (FitsFloat(exponent)) return AddAll(Format(), codes, std::ldexp(1.0f, -exponent), weight, out);
    }
    for (size_t i = 0; i < out.size(); ++i) out[i] += weight * Value<T>(kernels::LoadCode(codes, i), down);
  }

 private:
  static constexpr size_t kHeader = sizeof(int32_t);

  /// Whether products with 2^exponent and 2^-exponent are exact in float, or too small to have a code.
  static bool FitsFloat(int32_t exponent) { return exponent > -100 && exponent < 120; }

  static void CompressFast(std::span<float> u, int32_t exponent, std::span<std::byte> codes) {
    CastAll(Format(), u, std::ldexp(1.0f, exponent), std::ldexp(1.0f, -exponent), codes.data());
  }

  template <typename T>
  static T Value(uint16_t code, const PowerOfTwo& down) {
    return static_cast<T>(down * static_cast<double>(Format::Value(code)));
  }

  template <typename T>
  static int32_t Exponent(std::span<const T> u) {
    const T largest = MaxMagnitude(u);
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
