// SPDX-License-Identifier: Apache-2.0
// Stochastic signs of floats: norm, draws and bits of a block while it lies in the first-level cache.
#if defined(GRADWIRE_VECTOR_TOSS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_TOSS_INL_H
#undef GRADWIRE_VECTOR_TOSS_INL_H
#else
#define GRADWIRE_VECTOR_TOSS_INL_H
#endif

#include <cstring>

#include "kernels/scalar/toss.h"
#include "kernels/vector/norm-inl.h"
#include "kernels/vector/round-inl.h"
#include "kernels/vector/sign-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

/// Bits of minus of a row where lower halves decide some.
template <typename F, typename H>
HWY_NOINLINE uint32_t SettleSigns(const Draws& draws, const Levels<float>& levels, F u, H upper, size_t first) {
  float elements[kRow];
  uint32_t halves[kRow], negative = 0;
  StoreRow(u, elements);
  StoreRow(upper, halves);
  for (size_t j = 0; j < kRow; ++j)
    negative |= static_cast<uint32_t>(scalar::IsNegative(draws, first + j, halves[j], elements[j], levels)) << j;
  return negative;
}

class TossEncoder {
 public:
  using Look = NormRows<false, true>;
  static constexpr bool kComputes = true;
  HWY_INLINE TossEncoder(bool unit, const Draws& draws, std::byte* values, uint8_t* bits)
      : unit_(unit), draws_(draws), rows_(draws), values_(values), bits_(bits) {}

  template <typename B>
  HWY_INLINE void End(size_t first, const B& block, const SeenNorm& seen) {
    if (block.n() < kBlock || !IsOrdinary(seen.largest)) {
      float scratch[kBlock];
      return scalar::TossSignsOfBlock<float>(unit_, draws_, first, block.Write(scratch), values_, bits_);
    }
    const float norm = seen.norm, value = unit_ ? static_cast<float>(norm > 0) : norm;
    std::memcpy(values_ + first / kBlock * sizeof(float), &value, sizeof(float));
    const Levels<float> levels = scalar::EvenLevels(1, norm);
    block.keeps() ? TossAll<true>(levels, value, first, block) : TossAll<false>(levels, value, first, block);
  }

 private:
  template <bool kKeeps, typename B>
  HWY_INLINE void TossAll(const Levels<float>& levels, float value, size_t first, const B& block) {
    const auto per_half = hn::Set(Floats(), levels.per_unit * 0x1p15f);
    rows_.Begin(first);
    for (size_t i = 0; i < kBlock; i += 2 * kRow) {
      rows_.Next();
      TossOne<0, kKeeps>(levels, per_half, value, first, block, i);
      TossOne<1, kKeeps>(levels, per_half, value, first, block, i + kRow);
    }
  }

  /// Bits of minus: plus is where a half, the share of half the norm and the draw reach 1; see EvenRows.
  template <size_t j>
  HWY_INLINE uint32_t Negative(const Levels<float>& levels, Vec<float> per_half, const Row<float>& u,
                               size_t first) const {
    uint32_t negative = 0;
    bool close = false;
    for (size_t k = 0; k < Row<float>::kVectors; ++k) {
      const auto share = hn::Add(Nearest(hn::Mul(u.v[k], per_half)), hn::Set(Ints(), 0x8001));
      const auto sum = hn::Add(share, hn::BitCast(Ints(), rows_.Half<j>(k)));
      if (HWY_UNLIKELY(SomeZero(sum, 0xfffe))) close = true;
      negative |= BitsOf<float>(hn::RebindMask(Floats(), hn::Lt(sum, hn::Set(Ints(), 0x10000))), k);
    }
    if (HWY_UNLIKELY(close)) return SettleSigns<Row<float>, Row<uint32_t>>(draws_, levels, u, Halves<j>(rows_), first);
    return negative;
  }

  template <size_t j, bool kKeeps, typename B>
  HWY_INLINE void TossOne(const Levels<float>& levels, Vec<float> per_half, float value, size_t first, const B& block,
                          size_t i) const {
    block.Fetch(i);
    Row<float> u = block.Load(i);
    const auto bits = static_cast<uint16_t>(Negative<j>(levels, per_half, u, first + i));
    std::memcpy(bits_ + (first + i) / 8, &bits, 2);
    if constexpr (kKeeps) {
      const auto plus = hn::Set(Floats(), value);
      for (size_t k = 0; k < Row<float>::kVectors; ++k) u.v[k] = hn::Sub(u.v[k], Signed<float>(plus, bits, k));
      block.Store(i, u);
    }
  }

  const bool unit_;
  const Draws& draws_;  // a reference, as in DitherEncoder
  DrawRows rows_;
  std::byte* values_;
  uint8_t* bits_;
};

inline bool EncodeTossed(const Source<float>& source, bool unit, const Draws& draws, std::byte* values, uint8_t* bits) {
  return HWY_NAMESPACE::ForBlocksOf<float>(source, TossEncoder(unit, draws, values, bits));
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
