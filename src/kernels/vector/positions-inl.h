// SPDX-License-Identifier: Apache-2.0
// Coded positions, eight at a time: a byte's ones by a table, and low bits from eight neighbours, which always begin
// with a byte. T is not asked.
#if defined(GRADWIRE_VECTOR_POSITIONS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_POSITIONS_INL_H
#undef GRADWIRE_VECTOR_POSITIONS_INL_H
#else
#define GRADWIRE_VECTOR_POSITIONS_INL_H
#endif

#include "hwy/highway.h"
#include "kernels/scalar/positions.h"
#include "kernels/vector/lanes_of.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
inline constexpr hn::FixedTag<uint32_t, 8> kEight;
inline constexpr hn::FixedTag<uint8_t, 32> kBytes;

inline size_t ReadOnes(std::span<const std::byte> bytes, size_t begin, size_t end, size_t most, uint32_t* ones) {
  size_t count = 0;
  for (size_t at = begin / 64 * 64; at < end; at += 64) {
    uint64_t word = scalar::WordWithin(bytes, at, begin, end);
    if (static_cast<size_t>(__builtin_popcountll(word)) > most - count) return most + 1;
    for (auto first = static_cast<uint32_t>(at - begin); word != 0; word >>= 8, first += 8) {
      const auto lanes = hn::LoadU(hn::FixedTag<uint8_t, 8>(), kLanesOf[word & 0xff].data());
      hn::StoreU(hn::Add(hn::PromoteTo(kEight, lanes), hn::Set(kEight, first)), kEight, ones + count);
      count += static_cast<size_t>(__builtin_popcount(word & 0xff));
    }
  }
  return count;
}

inline void ReadLowBits(std::span<const std::byte> bytes, unsigned width, std::span<uint32_t> positions) {
  size_t j = 0;
  if (width <= 16) {  // eight have no more bytes than are loaded
    HWY_ALIGN uint8_t from[32];
    HWY_ALIGN uint32_t behind[8];
    for (uint32_t i = 0; i < 8; ++i) {
      behind[i] = i * width % 8;
      for (uint32_t byte = 0; byte < 4; ++byte)
        from[4 * i + byte] = static_cast<uint8_t>(HWY_MIN(i * width / 8 + byte, 15u));
    }
    const auto take = hn::Load(kBytes, from);
    const auto shift = hn::Load(kEight, behind), mask = hn::Set(kEight, (1u << width) - 1);
    auto index = hn::Iota(kEight, 0);
    for (; j + 8 <= positions.size() && j / 8 * width + 16 <= bytes.size(); j += 8) {
      const auto* eight = reinterpret_cast<const uint8_t*>(bytes.data() + j / 8 * width);
      const auto words = hn::BitCast(kEight, hn::TableLookupBytes(hn::LoadDup128(kBytes, eight), take));
      const auto low = hn::And(hn::Shr(words, shift), mask);
      const auto upper = hn::ShiftLeftSame(hn::Sub(hn::LoadU(kEight, &positions[j]), index), static_cast<int>(width));
      hn::StoreU(hn::Add(hn::Or(upper, low), index), kEight, &positions[j]);
      index = hn::Add(index, hn::Set(kEight, 8));
    }
  }
  scalar::ReadLowBits<float>(bytes, width, j, positions);
}

template <typename T>
constexpr void PutPositions(Table<T>& table) {
  table.ReadOnes = ReadOnes;
  table.ReadLowBits = ReadLowBits;
}
#else
template <typename T>
constexpr void PutPositions(Table<T>&) {}
#endif

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
