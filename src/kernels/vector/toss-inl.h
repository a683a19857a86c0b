// SPDX-License-Identifier: Apache-2.0
// Stochastic signs of floats whose norm is known.
#if defined(GRADWIRE_VECTOR_TOSS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_TOSS_INL_H
#undef GRADWIRE_VECTOR_TOSS_INL_H
#else
#define GRADWIRE_VECTOR_TOSS_INL_H
#endif

#include <cstring>
#include <utility>

#include "kernels/scalar/toss.h"
#include "kernels/vector/codes-inl.h"
#include "kernels/vector/draw-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

/// Whether the draws of a row are below their thresholds, by bit, where some
/// upper halves are equal.
HWY_NOINLINE inline uint32_t SettleSigns(const Draws& draws, const Levels<float>& levels, const float* u,
                                         size_t first) {
  uint32_t below = 0;
  for (size_t j = 0; j < kRow; ++j) {
    const uint32_t threshold = 0x80000000 - static_cast<uint32_t>(scalar::Height(u[j], levels, 1.0f) * 0x1p31f);
    below |= static_cast<uint32_t>(WholeDraw(draws, first + j) < threshold) << j;
  }
  return below;
}

template <size_t i>
HWY_INLINE uint16_t TossRow(const Draws& draws, const DrawRows& rows, const Levels<float>& levels, const float* u,
                            size_t first) {
  const auto per_half = hn::Set(Floats(), levels.per_unit * 0x1p31f), most = hn::Set(Floats(), 0x1p31f);
  uint32_t turned = 0, negative = 0, ties = 0;
  for (size_t k = 0; k < Row<float>::kVectors; ++k) {
    const auto x = hn::LoadU(Floats(), u + k * Row<float>::kLanes);
    // 2^31, which no int holds, comes out as the bits of the unsigned number.
    const auto height = hn::BitCast(Uints(), Truncated(hn::Min(hn::Mul(hn::Abs(x), per_half), most)));
    const auto upper = hn::BitCast(Ints(), hn::ShiftRight<16>(hn::Sub(hn::Set(Uints(), 0x80000000), height)));
    const auto half = hn::BitCast(Ints(), rows.Half<i>(k));
    turned |= BitsOf<float>(hn::RebindMask(Floats(), hn::Lt(half, upper)), k);
    negative |= BitsOf<float>(hn::Lt(x, hn::Zero(Floats())), k);
    if (HWY_UNLIKELY(!hn::AllFalse(Ints(), hn::Eq(half, upper)))) ties = 1;
  }
  if (HWY_UNLIKELY(ties != 0)) turned = SettleSigns(draws, levels, u, first);
  return static_cast<uint16_t>(turned ^ negative);
}

template <size_t... j>
HWY_INLINE void TossGroup(const Draws& draws, const DrawRows& rows, const Levels<float>& levels, const float* u,
                          size_t first, uint16_t* bits, std::index_sequence<j...>) {
  ((bits[j] = TossRow<j>(draws, rows, levels, u + j * kRow, first + j * kRow)), ...);
}

inline void TossSigns(const Draws& draws, float norm, float factor, std::span<const float> u, std::span<float> left,
                      uint8_t* bits) {
  const Levels<float> levels = scalar::BinaryLevels(1, norm);
  if (levels.scale != 1) return scalar::TossSigns<float>(draws, norm, factor, u, left, bits);
  DrawRows rows(draws);
  const auto plus = hn::Set(Floats(), factor), minus = hn::Neg(plus);
  const size_t whole = u.size() / kDrawGroup * kDrawGroup;
  for (size_t i = 0; i < whole; i += kDrawGroup) {
    rows.Draw(i);
    uint16_t of_rows[kGroupRows];
    TossGroup(draws, rows, levels, u.data() + i, i, of_rows, std::make_index_sequence<kGroupRows>());
    std::memcpy(bits + i / 8, of_rows, sizeof(of_rows));
    if (left.empty()) continue;
    for (size_t j = 0; j < kGroupRows; ++j)
      for (size_t k = 0; k < Row<float>::kVectors; ++k) {
        const size_t at = i + j * kRow + k * Row<float>::kLanes;
        const auto sign = hn::IfThenElse(MaskOf<float>(of_rows[j], k), minus, plus);
        hn::StoreU(hn::Sub(hn::LoadU(Floats(), u.data() + at), sign), Floats(), left.data() + at);
      }
  }
  // What is left begins within a block: the specification takes that block, and
  // of it what is missing.
  const size_t first = whole / kBlock * kBlock, done = whole - first, n = u.size() - first;
  if (done == n) return;
  float rest[kBlock];
  uint8_t rest_bits[kBlock / 8];
  scalar::TossBlockOfSigns<float>(draws, first, levels, factor, u.subspan(first), {rest, n}, rest_bits);
  std::memcpy(bits + whole / 8, rest_bits + done / 8, (n - done + 7) / 8);
  if (!left.empty()) std::memcpy(left.data() + whole, rest + done, (n - done) * sizeof(float));
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
