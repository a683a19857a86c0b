// SPDX-License-Identifier: Apache-2.0
// Random rounding of a row of floats to levels, of equal distances and of powers of two.
#if defined(GRADWIRE_VECTOR_ROUND_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_ROUND_INL_H
#undef GRADWIRE_VECTOR_ROUND_INL_H
#else
#define GRADWIRE_VECTOR_ROUND_INL_H
#endif

#include "kernels/scalar/dither.h"
#include "kernels/vector/codes-inl.h"
#include "kernels/vector/draw-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

/// The row's upper halves, for who settles by lower ones.
template <size_t i>
HWY_INLINE Row<uint32_t> Halves(const DrawRows& rows) {
  return Each<uint32_t>([&](size_t k) HWY_ATTR { return rows.Half<i>(k); });
}

/// A level that is not above |u|, and the threshold of the next one.
struct LevelStep {
  int32_t level;
  uint32_t threshold;
};

/// Of levels of equal distances, as scalar::DitherEvenly has them.
struct EvenStep {
  HWY_INLINE LevelStep operator()(float u, const Levels<float>& of) const {
    const float y = scalar::Height(u, of, static_cast<float>(of.count));
    const auto below = static_cast<int32_t>(y);
    return {below, scalar::ThresholdOf(y - static_cast<float>(below))};
  }
};

/// Codes of a row where lower halves decide some.
template <typename Step, typename F, typename H, typename R>
HWY_NOINLINE R SettleCodes(const Draws& draws, const Levels<float>& of, F u, H upper, size_t first) {
  float elements[kRow];
  uint32_t halves[kRow];
  int32_t codes[kRow];
  StoreRow(u, elements);
  StoreRow(upper, halves);
  for (size_t j = 0; j < kRow; ++j) {
    const bool negative = elements[j] < 0;
    const LevelStep step = Step()(elements[j], of);
    const bool up = scalar::IsBelow<float>(draws, first + j, halves[j], !negative, step.threshold);
    const int32_t level = step.level + static_cast<int32_t>(up);
    codes[j] = static_cast<int32_t>(of.count) + (negative ? -level : level);
  }
  return LoadRow(codes);
}

/// To levels of equal distances. Heights are in 2^-16 of one. A code is count + height + draw, cut: heights are rounded
/// to whole numbers and lower halves left out, for which the sum would be from 0.5 less to 1.5 more. That matters where
/// it crosses a level: with 1 added, where its lower 16 bits are 0 or 1.
template <bool kClips>
class EvenRows {
 public:
  HWY_INLINE explicit EvenRows(const Levels<float>& levels)
      : per_unit_(hn::Set(Floats(), levels.per_unit * 0x1p16f)),
        most_(hn::Set(Floats(), static_cast<float>(levels.count) * 0x1p16f)),
        unit_(hn::Set(Floats(), levels.unit)),
        count_(hn::Set(Ints(), static_cast<int32_t>(levels.count))),
        base_(hn::Set(Ints(), static_cast<int32_t>(levels.count << 16 | 1))) {}

  /// Of u, row i of two, whose first element is `first`.
  template <size_t i>
  HWY_INLINE Row<int32_t> Round(const Draws& draws, const DrawRows& rows, const Levels<float>& of, const Row<float>& u,
                                size_t first) const {
    Row<int32_t> codes;
    bool close = false;
    for (size_t k = 0; k < Row<float>::kVectors; ++k) {
      auto height = hn::Mul(u.v[k], per_unit_);
      if constexpr (kClips) height = hn::Max(hn::Min(height, most_), hn::Neg(most_));
      const auto sum = hn::Add(hn::Add(Nearest(height), base_), hn::BitCast(Ints(), rows.Half<i>(k)));
      if (HWY_UNLIKELY(SomeZero(sum, 0xfffe))) close = true;
      codes.v[k] = hn::BitCast(Ints(), hn::ShiftRight<16>(hn::BitCast(Uints(), sum)));
    }
    if (HWY_UNLIKELY(close))
      return SettleCodes<EvenStep, Row<float>, Row<uint32_t>, Row<int32_t>>(draws, of, u, Halves<i>(rows), first);
    return codes;
  }
  HWY_INLINE Vec<float> Value(Vec<int32_t> code) const {
    return hn::Mul(hn::ConvertTo(Floats(), hn::Sub(code, count_)), unit_);
  }

 private:
  Vec<float> per_unit_, most_, unit_;
  Vec<int32_t> count_, base_;  ///< of levels above 0; its height, and 1
};

/// Levels that are powers of two are ordinary numbers down to the lowest.
inline constexpr uint32_t kMostPowers = 64;

/// As scalar::DitherToPowers has them.
struct PowerStep {
  HWY_INLINE LevelStep operator()(float u, const Levels<float>& of) const {
    const float y = scalar::Height(u, of, 1.0f), share = y / scalar::BinaryFraction<float>(1, of.count);
    const auto bits = std::bit_cast<uint32_t>(y);
    const int32_t level = static_cast<int32_t>(bits >> 23) - 127 + static_cast<int32_t>(of.count);
    if (level > 0) return {level, bits << 9};
    return {0, scalar::ThresholdOf(std::min(share, 0x1.fffffep-1f))};
  }
};

/// What codes of levels that are powers of two stand for.
class PowerValues {
 public:
  HWY_INLINE PowerValues(uint32_t count, float norm)
      : count_(hn::Set(Ints(), static_cast<int32_t>(count))),
        exponent_(hn::Set(Ints(), 127 - static_cast<int32_t>(count))),
        norm_(hn::Set(Floats(), norm)) {}

  HWY_INLINE Vec<float> operator()(Vec<int32_t> code) const {
    const auto level = hn::Sub(code, count_), magnitude = hn::Abs(level);
    const auto value = hn::Mul(norm_, hn::BitCast(Floats(), hn::ShiftLeft<23>(hn::Add(magnitude, exponent_))));
    const auto taken = hn::IfThenZeroElse(hn::Eq(level, hn::Zero(Ints())), hn::BitCast(Ints(), value));
    return hn::BitCast(Floats(), hn::Or(taken, hn::And(level, hn::Set(Ints(), INT32_MIN))));
  }

 private:
  Vec<int32_t> count_, exponent_;
  Vec<float> norm_;
};

/// To levels that are powers of two.
class PowerRows {
 public:
  HWY_INLINE explicit PowerRows(const Levels<float>& levels)
      : per_unit_(hn::Set(Floats(), levels.per_unit)),
        lowest_(hn::Set(Floats(), 1 / scalar::BinaryFraction<float>(1, levels.count))),
        count_(hn::Set(Ints(), static_cast<int32_t>(levels.count))),
        exponent_(hn::Set(Ints(), static_cast<int32_t>(levels.count) - 127)),
        values_(levels.count, levels.unit) {}

  template <size_t i>
  HWY_INLINE Row<int32_t> Round(const Draws& draws, const DrawRows& rows, const Levels<float>& of, const Row<float>& u,
                                size_t first) const {
    Row<int32_t> codes;
    bool close = false;
    for (size_t k = 0; k < Row<float>::kVectors; ++k) {
      const auto y = hn::Min(hn::Mul(hn::Abs(u.v[k]), per_unit_), hn::Set(Floats(), 1.0f));
      const auto bits = hn::BitCast(Ints(), y), level = hn::Add(hn::ShiftRight<23>(bits), exponent_);
      const auto is_power = hn::Gt(level, hn::Zero(Ints()));
      const auto share = hn::Min(hn::Mul(y, lowest_), hn::Set(Floats(), 0x1.fffffep-1f));
      const auto of_mantissa = hn::And(hn::ShiftRight<7>(bits), hn::Set(Ints(), 0xffff)),
                 of_share = Truncated(hn::Mul(share, hn::Set(Floats(), 0x1p16f)));
      const auto threshold = hn::IfThenElse(is_power, of_mantissa, of_share);
      const auto negative = hn::RebindMask(Ints(), hn::Lt(u.v[k], hn::Zero(Floats())));
      const auto half = hn::BitCast(Ints(), rows.Half<i>(k));
      const auto draw = hn::IfThenElse(negative, half, hn::Xor(half, hn::Set(Ints(), 0xffff)));
      if (HWY_UNLIKELY(!hn::AllFalse(Ints(), hn::Eq(draw, threshold)))) close = true;
      const auto up = hn::IfThenElseZero(hn::Lt(draw, threshold), hn::Set(Ints(), 1));
      const auto reached = hn::Add(hn::IfThenElseZero(is_power, level), up);
      codes.v[k] = hn::Add(count_, hn::IfThenElse(negative, hn::Neg(reached), reached));
    }
    if (HWY_UNLIKELY(close))
      return SettleCodes<PowerStep, Row<float>, Row<uint32_t>, Row<int32_t>>(draws, of, u, Halves<i>(rows), first);
    return codes;
  }
  HWY_INLINE Vec<float> Value(Vec<int32_t> code) const { return values_(code); }

 private:
  Vec<float> per_unit_, lowest_;
  Vec<int32_t> count_, exponent_;
  PowerValues values_;
};

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
