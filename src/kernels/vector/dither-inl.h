// SPDX-License-Identifier: Apache-2.0
// Random dithering of floats to levels of equal distances: norm, levels, draws
// and codes of a block while it lies in the first-level cache. Levels that are
// powers of two, blocks that are not whole and norms near the ends of float are
// left to the specification.
#if defined(GRADWIRE_VECTOR_DITHER_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_DITHER_INL_H
#undef GRADWIRE_VECTOR_DITHER_INL_H
#else
#define GRADWIRE_VECTOR_DITHER_INL_H
#endif

#include <cmath>
#include <cstring>
#include <utility>

#include "kernels/scalar/dither.h"
#include "kernels/vector/add-inl.h"
#include "kernels/vector/codes-inl.h"
#include "kernels/vector/draw-inl.h"
#include "kernels/vector/norm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

/// A row's levels, up to a draw: in 2^-16 of the distance between levels, minus
/// the upper half of the draw.
struct RowLevels {
  Vec<float> per_unit, most;  ///< times 2^16
  Vec<float> unit;
  uint32_t count;

  HWY_INLINE explicit RowLevels(const Levels<float>& levels)
      : per_unit(hn::Set(Floats(), levels.per_unit * 0x1p16f)),
        most(hn::Set(Floats(), static_cast<float>(levels.count) * 0x1p16f)),
        unit(hn::Set(Floats(), levels.unit)),
        count(levels.count) {}
};

/// Where upper halves are equal, lower ones decide.
template <typename F, typename R>
HWY_NOINLINE R SettleTies(const Draws& draws, const Levels<float>& of, F u, size_t first, R row) {
  float elements[kRow];
  int32_t levels[kRow];
  StoreRow(u, elements);
  StoreRow(row, levels);
  for (size_t j = 0; j < kRow; ++j) {
    const float y = scalar::Height(elements[j], of, static_cast<float>(of.count));
    const auto below = static_cast<int32_t>(y);
    const uint32_t threshold = scalar::ThresholdOf(y - static_cast<float>(below));
    const int32_t level = below + static_cast<int32_t>(WholeDraw(draws, first + j) < threshold);
    levels[j] = elements[j] < 0 ? -level : level;
  }
  return LoadRow(levels);
}

/// Signed levels of u, row i of a group, whose first element is `first`.
template <size_t i>
HWY_INLINE Row<int32_t> RoundRow(const Draws& draws, const DrawRows& rows, const RowLevels& levels,
                                 const Levels<float>& of, const Row<float>& u, size_t first) {
  Row<int32_t> row;
  bool ties = false;
  for (size_t k = 0; k < Row<float>::kVectors; ++k) {
    const auto height = Truncated(hn::Min(hn::Mul(hn::Abs(u.v[k]), levels.per_unit), levels.most));
    const auto rest = hn::Sub(height, hn::BitCast(Ints(), rows.Half<i>(k)));
    const auto tie = hn::Eq(hn::And(rest, hn::Set(Ints(), 0xffff)), hn::Zero(Ints()));
    if (HWY_UNLIKELY(!hn::AllFalse(Ints(), tie))) ties = true;
    const auto level = hn::ShiftRight<16>(hn::Add(rest, hn::Set(Ints(), 0xffff)));
    const auto negative = hn::RebindMask(Ints(), hn::Lt(u.v[k], hn::Zero(Floats())));
    row.v[k] = hn::IfThenElse(negative, hn::Neg(level), level);
  }
  if (HWY_UNLIKELY(ties)) return SettleTies(draws, of, u, first, row);
  return row;
}

/// Where the codes of a block go, Put<j>(i, codes of its row j of the group at
/// i): as bytes, two to a byte, or in 16 bits for the specification to pack.
struct ByteCodes {
  uint8_t* out;
  template <size_t j>
  HWY_INLINE void Put(size_t i, const Row<int32_t>& codes) {
    StoreCodes(codes, out + i + j * kRow);
  }
};
struct NibbleCodes {
  uint8_t* out;
  Row<int32_t> lower;
  template <size_t j>
  HWY_INLINE void Put(size_t i, const Row<int32_t>& codes) {
    if constexpr (j % 2 == 0) {
      lower = codes;
    } else {
      Row<int32_t> both;
      for (size_t k = 0; k < Row<int32_t>::kVectors; ++k) both.v[k] = hn::Or(lower.v[k], hn::ShiftLeft<4>(codes.v[k]));
      StoreCodes(both, out + i / 2 + j / 2 * kRow);
    }
  }
};
struct WideCodes {
  uint16_t* out;
  template <size_t j>
  HWY_INLINE void Put(size_t i, const Row<int32_t>& codes) {
    StoreCodes(codes, out + i + j * kRow);
  }
};

template <bool kMagnitudes, bool kSquares>
class DitherEncoder {
 public:
  HWY_INLINE DitherEncoder(const Dithering& how, const Draws& draws, size_t n, std::byte* payload)
      : how_(how), draws_(draws), n_(n), payload_(payload) {}

  HWY_INLINE void Begin() { norm_.Begin(); }
  HWY_INLINE void See(const Row<float>& u) { norm_.See(u); }
  template <typename B>
  HWY_INLINE void End(size_t first, const B& block) {
    const float largest = norm_.largest();
    if (block.n() < kBlock || how_.powers || how_.clip || (largest != 0 && !IsOrdinary(largest)))
      return Specified(first, block);
    const float norm = Norm(largest);
    const Levels<float> levels = scalar::LevelsOf(how_, norm);
    std::memcpy(payload_ + first / kBlock * sizeof(float), &norm, sizeof(float));
    auto* packed = reinterpret_cast<uint8_t*>(scalar::PackedOf<float>(payload_, n_));
    const CodeSpace space = scalar::SpaceOf(how_);
    if (space.width() == 8) return Round(levels, first, block, ByteCodes{packed + first});
    if (space.width() == 4) return Round(levels, first, block, NibbleCodes{packed + first / 2, ZeroRow<int32_t>()});
    uint16_t codes[kBlock];
    Round(levels, first, block, WideCodes{codes});
    space.Pack(n_, first, codes, scalar::PackedOf<float>(payload_, n_));
  }

 private:
  /// Such that neither sums nor levels need a scale: a norm is at most 2^10 times the largest magnitude.
  static HWY_INLINE bool IsOrdinary(float largest) { return largest >= 0x1p-40f && largest <= 0x1p40f; }

  template <typename B>
  HWY_INLINE void Specified(size_t first, const B& block) const {
    float scratch[kBlock];
    scalar::DitherBlock<float>(how_, draws_, n_, first, block.Write(scratch), payload_);
  }

  HWY_INLINE float Norm(float largest) const {
    if (largest == 0 || (!kMagnitudes && !kSquares)) return largest;
    const float value = kSquares ? std::sqrt(norm_.sum()) : norm_.sum();
    return std::max(std::min(value, std::numeric_limits<float>::max()), largest);
  }

  template <typename B, typename Sink>
  HWY_INLINE void Round(const Levels<float>& levels, size_t first, const B& block, Sink sink) const {
    const RowLevels row_levels(levels);
    DrawRows rows(draws_);
    for (size_t i = 0; i < kBlock; i += kDrawGroup) {
      rows.Draw(first + i);
      RoundGroup(levels, row_levels, rows, first, block, i, sink, std::make_index_sequence<kGroupRows>());
    }
  }

  template <typename B, typename Sink, size_t... j>
  HWY_INLINE void RoundGroup(const Levels<float>& levels, const RowLevels& row_levels, const DrawRows& rows,
                             size_t first, const B& block, size_t i, Sink& sink, std::index_sequence<j...>) const {
    (RoundOne<j>(levels, row_levels, rows, first, block, i, sink), ...);
  }

  template <size_t j, typename B, typename Sink>
  HWY_INLINE void RoundOne(const Levels<float>& levels, const RowLevels& row_levels, const DrawRows& rows, size_t first,
                           const B& block, size_t i, Sink& sink) const {
    const size_t at = i + j * kRow;
    block.Fetch(at);
    Row<float> u = block.Load(at);
    const Row<int32_t> row = RoundRow<j>(draws_, rows, row_levels, levels, u, first + at);
    Row<int32_t> codes;
    const auto count = hn::Set(Ints(), static_cast<int32_t>(row_levels.count));
    for (size_t k = 0; k < Row<int32_t>::kVectors; ++k) codes.v[k] = hn::Add(row.v[k], count);
    sink.template Put<j>(i, codes);
    for (size_t k = 0; k < Row<float>::kVectors; ++k)
      u.v[k] = hn::Sub(u.v[k], hn::Mul(hn::ConvertTo(Floats(), row.v[k]), row_levels.unit));
    block.Store(at, u);
  }

  // References, so that no address of this object is given away: it lives in
  // registers.
  const Dithering& how_;
  const Draws& draws_;
  const size_t n_;
  std::byte* payload_;
  NormRows<kMagnitudes, kSquares> norm_;
};

inline bool EncodeDithered(const Source<float>& source, const Dithering& how, const Draws& draws, std::byte* payload) {
  if (how.norm == Norm::kL1)
    return HWY_NAMESPACE::ForBlocksOf<float>(source, DitherEncoder<true, false>(how, draws, source.n, payload));
  if (how.norm == Norm::kL2)
    return HWY_NAMESPACE::ForBlocksOf<float>(source, DitherEncoder<false, true>(how, draws, source.n, payload));
  return HWY_NAMESPACE::ForBlocksOf<float>(source, DitherEncoder<false, false>(how, draws, source.n, payload));
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
