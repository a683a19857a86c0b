// SPDX-License-Identifier: Apache-2.0
// Natural compression of floats, in one pass: a byte of exponent and a bit of
// sign an element.
#if defined(GRADWIRE_VECTOR_NATURAL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_NATURAL_INL_H
#undef GRADWIRE_VECTOR_NATURAL_INL_H
#else
#define GRADWIRE_VECTOR_NATURAL_INL_H
#endif

#include <cstring>
#include <utility>

#include "kernels/scalar/natural.h"
#include "kernels/vector/add-inl.h"
#include "kernels/vector/codes-inl.h"
#include "kernels/vector/draw-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

/// Exponents of u after a draw, where the upper halves of draw and mantissa were equal somewhere.
template <typename F, typename R>
HWY_NOINLINE R SettlePowers(const Draws& draws, F u, size_t first, R row) {
  float elements[kRow];
  int32_t exponents[kRow];
  StoreRow(u, elements);
  StoreRow(row, exponents);
  for (size_t j = 0; j < kRow; ++j) {
    const auto bits = std::bit_cast<uint32_t>(elements[j]);
    exponents[j] =
        static_cast<int32_t>((bits >> 23 & 0xff) + static_cast<uint32_t>(WholeDraw(draws, first + j) < bits << 9));
  }
  return LoadRow(exponents);
}

class NaturalEncoder {
 public:
  HWY_INLINE NaturalEncoder(const Draws& draws, size_t n, std::byte* payload)
      : draws_(draws), n_(n), payload_(payload) {}

  HWY_INLINE void Begin() {}
  HWY_INLINE void See(const Row<float>&) {}
  template <typename B>
  HWY_INLINE void End(size_t first, const B& block) {
    if (block.n() < kBlock) {
      float scratch[kBlock];
      return scalar::NaturalBlock<float>(draws_, n_, first, block.Write(scratch), payload_);
    }
    DrawRows rows(draws_);
    for (size_t i = 0; i < kBlock; i += kDrawGroup) {
      rows.Draw(first + i);
      RoundGroup(rows, first, block, i, std::make_index_sequence<kGroupRows>());
    }
  }

 private:
  template <typename B, size_t... j>
  HWY_INLINE void RoundGroup(const DrawRows& rows, size_t first, const B& block, size_t i,
                             std::index_sequence<j...>) const {
    (RoundOne<j>(rows, first, block, i + j * kRow), ...);
  }

  template <size_t j, typename B>
  HWY_INLINE void RoundOne(const DrawRows& rows, size_t first, const B& block, size_t i) const {
    block.Fetch(i);
    Row<float> u = block.Load(i);
    Row<int32_t> exponents;
    bool ties = false;
    for (size_t k = 0; k < Row<float>::kVectors; ++k) {
      const auto bits = hn::BitCast(Uints(), u.v[k]);
      // Exponent and upper half of the mantissa; the sign is shifted out.
      const auto rest = hn::Sub(hn::ShiftRight<8>(hn::Add(bits, bits)), rows.Half<j>(k));
      const auto tie = hn::Eq(hn::And(rest, hn::Set(Uints(), 0xffff)), hn::Zero(Uints()));
      if (HWY_UNLIKELY(!hn::AllFalse(Uints(), tie))) ties = true;
      exponents.v[k] = hn::ShiftRight<16>(hn::BitCast(Ints(), hn::Add(rest, hn::Set(Uints(), 0xffff))));
    }
    if (HWY_UNLIKELY(ties)) exponents = SettlePowers(draws_, u, first + i, exponents);
    uint32_t negative = 0;
    for (size_t k = 0; k < Row<float>::kVectors; ++k) {
      exponents.v[k] = hn::Min(exponents.v[k], hn::Set(Ints(), 254));
      const auto none = hn::Eq(exponents.v[k], hn::Zero(Ints()));
      const auto sign = hn::IfThenZeroElse(none, hn::And(hn::BitCast(Ints(), u.v[k]), hn::Set(Ints(), INT32_MIN)));
      negative |= BitsOf<float>(hn::RebindMask(Floats(), hn::Lt(sign, hn::Zero(Ints()))), k);
      u.v[k] = hn::Sub(u.v[k], hn::BitCast(Floats(), hn::Or(hn::ShiftLeft<23>(exponents.v[k]), sign)));
    }
    StoreCodes(exponents, reinterpret_cast<uint8_t*>(payload_) + first + i);
    const auto bits = static_cast<uint16_t>(negative);
    std::memcpy(payload_ + n_ + (first + i) / 8, &bits, 2);
    block.Store(i, u);
  }

  const Draws& draws_;  // a reference, as in DitherEncoder
  const size_t n_;
  std::byte* payload_;
};

inline bool EncodeNatural(const Source<float>& source, const Draws& draws, std::byte* payload) {
  return HWY_NAMESPACE::ForBlocksOf<float>(source, NaturalEncoder(draws, source.n, payload));
}

/// Of a whole block; whether all its exponents are those of finite numbers.
HWY_INLINE bool SumPowers(std::span<const Coded<float>> all, Into into, size_t n, size_t first, float* out) {
  auto largest = hn::Zero(Ints());
  const auto top = hn::BitCast(Floats(), hn::Set(Ints(), INT32_MIN));
  for (size_t i = 0; i < kBlock; i += kRow) {
    Row<float> sum;
    for (size_t k = 0; k < Row<float>::kVectors; ++k) sum.v[k] = BeginSum(into, out + i + k * Row<float>::kLanes);
    for (const Coded<float>& from : all) {
      uint16_t negative = 0;
      std::memcpy(&negative, from.bytes + n + (first + i) / 8, 2);
      const auto* exponents = reinterpret_cast<const uint8_t*>(from.bytes) + first + i;
      const auto weight = hn::Set(Floats(), from.weight);
      for (size_t k = 0; k < Row<float>::kVectors; ++k) {
        const auto exponent = LoadCodes(exponents, k);
        largest = hn::Max(largest, exponent);
        const auto power = hn::BitCast(Floats(), hn::ShiftLeft<23>(exponent));
        const auto value = hn::IfThenElse(MaskOf<float>(negative, k), hn::Or(power, top), power);
        sum.v[k] = hn::Add(sum.v[k], hn::Mul(weight, value));
      }
    }
    for (size_t k = 0; k < Row<float>::kVectors; ++k) EndSum(into, sum.v[k], out + i + k * Row<float>::kLanes);
  }
  return hn::AllFalse(Ints(), hn::Eq(largest, hn::Set(Ints(), 255)));
}

inline size_t SumNatural(std::span<const Coded<float>> all, Into into, std::span<float> out) {
  return SumBlocks<float>(
      all, into, out, [&](std::span<const Coded<float>> some, Into to, size_t first, std::span<float> part) HWY_ATTR {
        if (part.size() == kBlock && SumPowers(some, to, out.size(), first, part.data())) return some.size();
        return scalar::SumNaturalBlock<float>(some, part.size() < kBlock ? to : Into::kWrite, out.size(), first, part);
      });
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
