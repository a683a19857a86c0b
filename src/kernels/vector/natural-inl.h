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

#include "kernels/scalar/natural.h"
#include "kernels/vector/add-inl.h"
#include "kernels/vector/norm-inl.h"
#include "kernels/vector/round-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

/// A row after its draws, where lower halves decide some: exponents stand where they stood, what is below them means
/// nothing.
template <typename F, typename H, typename R>
HWY_NOINLINE R SettlePowers(const Draws& draws, F u, H upper, size_t first) {
  float elements[kRow];
  uint32_t halves[kRow];
  int32_t raised[kRow];
  StoreRow(u, elements);
  StoreRow(upper, halves);
  for (size_t j = 0; j < kRow; ++j) {
    const auto bits = std::bit_cast<uint32_t>(elements[j]);
    const bool up = scalar::IsBelow<float>(draws, first + j, halves[j], /*counts_down=*/true, bits << 9);
    raised[j] = static_cast<int32_t>(bits + (static_cast<uint32_t>(up) << 23));
  }
  return LoadRow(raised);
}

class NaturalEncoder {
 public:
  using Look = NormRows<false, false>;
  static constexpr bool kComputes = true;
  HWY_INLINE NaturalEncoder(const Draws& draws, size_t n, std::byte* payload)
      : draws_(draws), rows_(draws), n_(n), payload_(payload) {}

  template <typename B>
  HWY_INLINE void End(size_t first, const B& block, const SeenNorm& seen) {
    if (block.n() < kBlock || seen.largest >= 0x1p127f) {  // which would round to infinity
      float scratch[kBlock];
      return scalar::NaturalBlock<float>(draws_, n_, first, block.Write(scratch), payload_);
    }
    block.keeps() ? RoundAll<true>(first, block) : RoundAll<false>(first, block);
  }

 private:
  template <bool kKeeps, typename B>
  HWY_INLINE void RoundAll(size_t first, const B& block) {
    rows_.Begin(first);
    for (size_t i = 0; i < kBlock; i += 2 * kRow) {
      rows_.Next();
      RoundOne<0, kKeeps>(first, block, i);
      RoundOne<1, kKeeps>(first, block, i + kRow);
    }
  }

  /// The draw is added to the mantissa: it carries into the exponent as often as that is due. The lower half and the
  /// mantissa's last bits, left out, may still carry where all bits above them are ones: with 1 added there, zeros.
  template <size_t j>
  HWY_INLINE Row<int32_t> Raised(const Row<float>& u, size_t first) const {
    Row<int32_t> raised;
    bool close = false;
    for (size_t k = 0; k < Row<float>::kVectors; ++k) {
      const auto draw = hn::BitCast(Ints(), hn::ShiftLeft<7>(rows_.Half<j>(k)));
      raised.v[k] = hn::Add(hn::Add(hn::BitCast(Ints(), u.v[k]), hn::Set(Ints(), 0x80)), draw);
      if (HWY_UNLIKELY(SomeZero(raised.v[k], 0x7fff80))) close = true;
    }
    if (HWY_UNLIKELY(close))
      return SettlePowers<Row<float>, Row<uint32_t>, Row<int32_t>>(draws_, u, Halves<j>(rows_), first);
    return raised;
  }

  template <size_t j, bool kKeeps, typename B>
  HWY_INLINE void RoundOne(size_t first, const B& block, size_t i) const {
    block.Fetch(i);
    Row<float> u = block.Load(i);
    const Row<int32_t> raised = Raised<j>(u, first + i);
    Row<int32_t> exponents;
    uint32_t negative = 0;
    for (size_t k = 0; k < Row<float>::kVectors; ++k) {
      exponents.v[k] = hn::BitCast(Ints(), hn::ShiftRight<23>(hn::BitCast(Uints(), raised.v[k])));
      const auto none = hn::Eq(hn::And(raised.v[k], hn::Set(Ints(), Bits<float>::kInfinity)), hn::Zero(Ints()));
      const auto power = hn::IfThenZeroElse(none, hn::And(raised.v[k], hn::Set(Ints(), -(1 << 23))));
      negative |= BitsOf<float>(hn::RebindMask(Floats(), hn::Lt(power, hn::Zero(Ints()))), k);
      if constexpr (kKeeps) u.v[k] = hn::Sub(u.v[k], hn::BitCast(Floats(), power));
    }
    StoreCodes(exponents, reinterpret_cast<uint8_t*>(payload_) + first + i);
    const auto bits = static_cast<uint16_t>(negative);
    std::memcpy(payload_ + n_ + (first + i) / 8, &bits, 2);
    if constexpr (kKeeps) block.Store(i, u);
  }

  const Draws& draws_;  // a reference, as in DitherEncoder
  DrawRows rows_;
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
