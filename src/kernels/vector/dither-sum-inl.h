// SPDX-License-Identifier: Apache-2.0
// Sums of payloads of random dithering, each element written once.
#if defined(GRADWIRE_VECTOR_DITHER_SUM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_DITHER_SUM_INL_H
#undef GRADWIRE_VECTOR_DITHER_SUM_INL_H
#else
#define GRADWIRE_VECTOR_DITHER_SUM_INL_H
#endif

#include "kernels/scalar/dither.h"
#include "kernels/vector/round-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

/// Codes of a block of a payload, row by row, and what they stand for.
template <typename Code, typename Values>
struct CodedBlock {
  const Code* codes;
  Values values;
  float weight;
};

/// What codes of levels of equal distances stand for.
struct EvenValues {
  uint32_t count;
  float unit, back;

  HWY_INLINE EvenValues(const Levels<float>& levels) : count(levels.count), unit(levels.unit), back(levels.back) {}
  HWY_INLINE Vec<float> operator()(Vec<int32_t> code) const {
    const auto level = hn::Sub(code, hn::Set(Ints(), static_cast<int32_t>(count)));
    return hn::Mul(hn::Mul(hn::ConvertTo(Floats(), level), hn::Set(Floats(), unit)), hn::Set(Floats(), back));
  }
};

/// Whether all codes are up to `most`. A byte has one or, of kBits 4, two codes.
template <size_t kBits, typename Code, typename Values>
HWY_INLINE bool SumLevels(std::span<const CodedBlock<Code, Values>> all, uint32_t most, Into into, float* out) {
  auto largest = hn::Zero(Ints());
  const auto add = [&](Vec<int32_t> code, const CodedBlock<Code, Values>& from, Vec<float>& sum) HWY_ATTR {
    largest = hn::Max(largest, code);
    sum = hn::Add(sum, hn::Mul(hn::Set(Floats(), from.weight), from.values(code)));
  };
  constexpr size_t kLanes = Row<float>::kLanes;
  for (size_t i = 0; i < kBlock; i += kBits == 4 ? 2 * kRow : kRow)
    for (size_t k = 0; k < Row<float>::kVectors; ++k) {
      float* at = out + i + k * kLanes;
      auto sum = BeginSum(into, at);
      if constexpr (kBits == 4) {
        auto upper = BeginSum(into, at + kRow);
        for (const auto& from : all) {
          const auto both = LoadCodes(from.codes + i / 2, k);
          add(hn::And(both, hn::Set(Ints(), 15)), from, sum);
          add(hn::ShiftRight<4>(both), from, upper);
        }
        EndSum(into, upper, at + kRow);
      } else {
        for (const auto& from : all) add(LoadCodes(from.codes + i, k), from, sum);
      }
      EndSum(into, sum, at);
    }
  return hn::AllFalse(Ints(), hn::Gt(largest, hn::Set(Ints(), static_cast<int32_t>(most))));
}

/// Codes of 8 and 4 bits are read where they lie.
inline bool SumBytes(std::span<const Coded<float>> all, const Dithering& how, Into into, size_t n, size_t first,
                     float* out) {
  using Bytes = CodedBlock<uint8_t, EvenValues>;
  const unsigned width = scalar::SpaceOf(how).width();
  alignas(Bytes) std::byte memory[kMostCoded * sizeof(Bytes)];
  auto* const blocks = reinterpret_cast<Bytes*>(memory);
  for (size_t r = 0; r < all.size(); ++r) {
    const Levels<float> levels = scalar::LevelsOf(how, scalar::ValueAt<float>(all[r].bytes, first / kBlock));
    const std::byte* packed = scalar::PackedOf<float>(all[r].bytes, how, n) + first * width / 8;
    new (blocks + r) Bytes{reinterpret_cast<const uint8_t*>(packed), levels, all[r].weight};
  }
  const std::span<const Bytes> some(blocks, all.size());
  return width == 8 ? SumLevels<8>(some, 2 * how.count, into, out) : SumLevels<4>(some, 2 * how.count, into, out);
}

/// Others are unpacked by the specification, payload by payload, onto sums that lie in the first-level cache.
inline bool SumUnpacked(std::span<const Coded<float>> all, const Dithering& how, Into into, size_t n, size_t first,
                        std::span<float> out) {
  HWY_ALIGN float sums[kBlock];
  into == Into::kAdd ? std::copy_n(out.data(), kBlock, sums) : std::fill_n(sums, kBlock, 0.0f);
  for (const Coded<float>& from : all) {
    uint16_t codes[kBlock];
    scalar::SpaceOf(how).Unpack(n, first, scalar::PackedOf<float>(from.bytes, how, n), codes);
    const Levels<float> levels = scalar::LevelsOf(how, scalar::ValueAt<float>(from.bytes, first / kBlock));
    const auto sum = [&](auto values) HWY_ATTR {
      const CodedBlock<uint16_t, decltype(values)> block = {codes, values, from.weight};
      return SumLevels<16>(std::span(&block, 1), 2 * how.count, Into::kAdd, sums);
    };
    if (!(how.powers ? sum(PowerValues(how.count, levels.unit)) : sum(EvenValues(levels)))) return false;
  }
  for (size_t i = 0; i < kBlock; i += kRow)
    into == Into::kStream ? StreamRow(LoadRow(sums + i), out.data() + i) : StoreRow(LoadRow(sums + i), out.data() + i);
  return true;
}

inline size_t SumDitheredBlock(std::span<const Coded<float>> all, const Dithering& how, Into into, size_t n,
                               size_t first, std::span<float> part) {
  const unsigned width = scalar::SpaceOf(how).width();
  if (part.size() < kBlock || (how.powers && how.count > kMostPowers))
    return scalar::SumDitheredBlock<float>(all, how, into, n, first, part);
  if (!how.powers && (width == 8 || width == 4) ? SumBytes(all, how, into, n, first, part.data())
                                                : SumUnpacked(all, how, into, n, first, part))
    return all.size();
  return scalar::SumDitheredBlock<float>(all, how, Into::kWrite, n, first, part);
}

/// The specification, as the compiler makes it for this instruction set.
__attribute__((flatten)) inline size_t SumSpecified(std::span<const Coded<float>> all, const Dithering& how, Into into,
                                                    std::span<float> out) {
  return scalar::SumDithered<float>(all, how, into, out);
}

inline size_t SumDithered(std::span<const Coded<float>> all, const Dithering& how, Into into, std::span<float> out) {
  if (how.block != kBlock) return SumSpecified(all, how, into, out);
  return SumBlocks<float>(all, into, out,
                          [&](std::span<const Coded<float>> some, Into to, size_t first, std::span<float> part)
                              HWY_ATTR { return SumDitheredBlock(some, how, to, out.size(), first, part); });
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
