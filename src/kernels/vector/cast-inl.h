// SPDX-License-Identifier: Apache-2.0
// Casts of floats to 16 bits, in one pass: an exponent for each block, then codes. Blocks that are not whole, and those
// whose powers of two are not exact in float, are left to the specification.
#if defined(GRADWIRE_VECTOR_CAST_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_CAST_INL_H
#undef GRADWIRE_VECTOR_CAST_INL_H
#else
#define GRADWIRE_VECTOR_CAST_INL_H
#endif

#include <cstring>

#include "kernels/scalar/cast.h"
#include "kernels/vector/add-inl.h"
#include "kernels/vector/codes-inl.h"
#include "kernels/vector/norm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

using Shorts = hn::Rebind<uint16_t, Floats>;

template <typename Format>
HWY_INLINE hn::Vec<Shorts> CodesOfFloats(Vec<float> x) {
  if constexpr (std::is_same_v<Format, scalar::Half>) {
    return hn::BitCast(Shorts(), hn::DemoteTo(hn::Rebind<hwy::float16_t, Floats>(), x));
  } else {
    const auto bits = hn::BitCast(Uints(), x);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(Uints(), 1));
    const auto rounded = hn::Add(hn::Add(bits, hn::Set(Uints(), 0x7fff)), odd);
    return hn::TruncateTo(Shorts(), hn::ShiftRight<16>(rounded));
  }
}

template <typename Format>
HWY_INLINE Vec<float> FloatsOfCodes(hn::Vec<Shorts> codes) {
  if constexpr (std::is_same_v<Format, scalar::Half>)
    return hn::PromoteTo(Floats(), hn::BitCast(hn::Rebind<hwy::float16_t, Floats>(), codes));
  else
    return hn::BitCast(Floats(), hn::ShiftLeft<16>(hn::PromoteTo(Uints(), codes)));
}

template <typename Format>
class CastEncoder {
 public:
  using Look = NormRows<false, false>;
  HWY_INLINE CastEncoder(size_t n, std::byte* payload) : n_(n), payload_(payload) {}

  template <typename B>
  HWY_INLINE void End(size_t first, const B& block, const SeenNorm& seen) {
    const int32_t exponent = scalar::ExponentFor<Format>(seen.largest);
    if (block.n() < kBlock || !scalar::ExactInFloat(exponent)) {
      float scratch[kBlock];
      return scalar::CastBlock<Format, float>(n_, first, block.Write(scratch), payload_);
    }
    std::memcpy(payload_ + first / kBlock * sizeof(exponent), &exponent, sizeof(exponent));
    auto* codes = reinterpret_cast<uint16_t*>(scalar::CodesOf(payload_, n_) + 2 * first);
    const auto up = hn::Set(Floats(), scalar::Power(exponent)), down = hn::Set(Floats(), scalar::Power(-exponent));
    block.TakeRows([&](size_t i, size_t, Row<float>& u) HWY_ATTR {
      for (size_t k = 0; k < Row<float>::kVectors; ++k) {
        const auto code = CodesOfFloats<Format>(hn::Mul(u.v[k], up));
        hn::StoreU(code, Shorts(), codes + i + k * Row<float>::kLanes);
        u.v[k] = hn::Sub(u.v[k], hn::Mul(FloatsOfCodes<Format>(code), down));
      }
    });
  }

 private:
  const size_t n_;
  std::byte* payload_;
};

inline bool EncodeHalves(const Source<float>& source, std::byte* payload) {
  return HWY_NAMESPACE::ForBlocksOf<float>(source, CastEncoder<scalar::Half>(source.n, payload));
}
inline bool EncodeBfloats(const Source<float>& source, std::byte* payload) {
  return HWY_NAMESPACE::ForBlocksOf<float>(source, CastEncoder<scalar::Bfloat>(source.n, payload));
}

/// Of a whole block; whether all its codes are finite.
template <typename Format>
HWY_INLINE bool SumCodes(std::span<const Coded<float>> all, const float* down, Into into, size_t n, size_t first,
                         float* out) {
  constexpr Shorts d;
  const auto exponent_bits = hn::Set(d, Format::kExponentBits);
  auto largest = hn::Zero(d);
  for (size_t i = 0; i < kBlock; i += Row<float>::kLanes) {
    auto sum = BeginSum(into, out + i);
    for (size_t r = 0; r < all.size(); ++r) {
      const auto* codes = reinterpret_cast<const uint16_t*>(scalar::CodesOf(all[r].bytes, n) + 2 * first);
      const auto code = hn::LoadU(d, codes + i);
      largest = hn::Max(largest, hn::And(code, exponent_bits));
      const auto value = hn::Mul(FloatsOfCodes<Format>(code), hn::Set(Floats(), down[r]));
      sum = hn::Add(sum, hn::Mul(hn::Set(Floats(), all[r].weight), value));
    }
    EndSum(into, sum, out + i);
  }
  return hn::AllFalse(d, hn::Eq(largest, exponent_bits));
}

template <typename Format>
HWY_INLINE size_t SumCasts(std::span<const Coded<float>> all, Into into, std::span<float> out) {
  return SumBlocks<float>(
      all, into, out, [&](std::span<const Coded<float>> some, Into to, size_t first, std::span<float> part) HWY_ATTR {
        float down[kMostCoded];
        bool exact = part.size() == kBlock;
        for (size_t r = 0; r < some.size(); ++r) {
          const auto exponent = scalar::ValueAt<int32_t>(some[r].bytes, first / kBlock);
          exact = exact && scalar::ExactInFloat(exponent);
          down[r] = exact ? scalar::Power(-exponent) : 0;
        }
        if (!exact) return scalar::SumCastBlock<Format, float>(some, to, out.size(), first, part);
        if (SumCodes<Format>(some, down, to, out.size(), first, part.data())) return some.size();
        return scalar::SumCastBlock<Format, float>(some, Into::kWrite, out.size(), first, part);
      });
}

inline size_t SumHalves(std::span<const Coded<float>> all, Into into, std::span<float> out) {
  return SumCasts<scalar::Half>(all, into, out);
}
inline size_t SumBfloats(std::span<const Coded<float>> all, Into into, std::span<float> out) {
  return SumCasts<scalar::Bfloat>(all, into, out);
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
