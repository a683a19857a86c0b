// SPDX-License-Identifier: Apache-2.0
// Sums of payloads of random dithering, of 8 and 4 bits, each element written once; others are the specification's.
#if defined(GRADWIRE_VECTOR_DITHER_SUM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_DITHER_SUM_INL_H
#undef GRADWIRE_VECTOR_DITHER_SUM_INL_H
#else
#define GRADWIRE_VECTOR_DITHER_SUM_INL_H
#endif

#include "kernels/scalar/dither.h"
#include "kernels/vector/codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

/// Codes of a block of a payload, row by row: bytes as they lie, others after
/// the specification has read them.
template <typename Code>
struct CodedBlock {
  const Code* codes;
  float unit, back, weight;
};

/// Whether all codes are below `symbols`.
template <size_t kBits, typename Code>
HWY_INLINE bool SumLevels(std::span<const CodedBlock<Code>> all, uint32_t count, Into into, float* out) {
  auto largest = hn::Zero(Ints());
  const auto zero = hn::Set(Ints(), static_cast<int32_t>(count));
  const auto add = [&](Vec<int32_t> code, const CodedBlock<Code>& from, Vec<float>& sum) HWY_ATTR {
    largest = hn::Max(largest, code);
    const auto value = hn::Mul(hn::Mul(hn::ConvertTo(Floats(), hn::Sub(code, zero)), hn::Set(Floats(), from.unit)),
                               hn::Set(Floats(), from.back));
    sum = hn::Add(sum, hn::Mul(hn::Set(Floats(), from.weight), value));
  };
  constexpr size_t kLanes = Row<float>::kLanes;
  for (size_t i = 0; i < kBlock; i += kBits == 4 ? 2 * kRow : kRow)
    for (size_t k = 0; k < Row<float>::kVectors; ++k) {
      float* at = out + i + k * kLanes;
      auto sum = BeginSum(into, at);
      if constexpr (kBits == 4) {
        auto upper = BeginSum(into, at + kRow);
        for (const CodedBlock<Code>& from : all) {
          const auto both = LoadCodes(from.codes + i / 2, k);
          add(hn::And(both, hn::Set(Ints(), 15)), from, sum);
          add(hn::ShiftRight<4>(both), from, upper);
        }
        EndSum(into, upper, at + kRow);
      } else {
        for (const CodedBlock<Code>& from : all) add(LoadCodes(from.codes + i, k), from, sum);
      }
      EndSum(into, sum, at);
    }
  const auto most = hn::Set(Ints(), static_cast<int32_t>(2 * count));
  return hn::AllFalse(Ints(), hn::Gt(largest, most));
}

inline size_t SumDitheredBlock(std::span<const Coded<float>> all, const Dithering& how, Into into, size_t n,
                               size_t first, std::span<float> part) {
  const CodeSpace space = scalar::SpaceOf(how);
  if (part.size() < kBlock || how.powers || (space.width() != 8 && space.width() != 4))
    return scalar::SumDitheredBlock<float>(all, how, into, n, first, part);
  CodedBlock<uint8_t> blocks[kMostCoded];
  for (size_t r = 0; r < all.size(); ++r) {
    const Levels<float> levels = scalar::LevelsOf(how, scalar::ValueAt<float>(all[r].bytes, first / kBlock));
    const std::byte* packed = scalar::PackedOf<float>(all[r].bytes, n) + first * space.width() / 8;
    blocks[r] = {reinterpret_cast<const uint8_t*>(packed), levels.unit, levels.back, all[r].weight};
  }
  const std::span<const CodedBlock<uint8_t>> some(blocks, all.size());
  if (space.width() == 8 ? SumLevels<8>(some, how.count, into, part.data())
                         : SumLevels<4>(some, how.count, into, part.data()))
    return all.size();
  return scalar::SumDitheredBlock<float>(all, how, Into::kWrite, n, first, part);
}

inline size_t SumDithered(std::span<const Coded<float>> all, const Dithering& how, Into into, std::span<float> out) {
  return SumBlocks<float>(all, into, out,
                          [&](std::span<const Coded<float>> some, Into to, size_t first, std::span<float> part)
                              HWY_ATTR { return SumDitheredBlock(some, how, to, out.size(), first, part); });
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
