// SPDX-License-Identifier: Apache-2.0
// Norms of floats, row by row.
#if defined(GRADWIRE_VECTOR_NORM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_NORM_INL_H
#undef GRADWIRE_VECTOR_NORM_INL_H
#else
#define GRADWIRE_VECTOR_NORM_INL_H
#endif

#include <array>
#include <bit>

#include "kernels/scalar/norm.h"
#include "kernels/vector/codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

/// The largest magnitude and the sum for a norm, row by row.
template <bool kMagnitudes, bool kSquares>
class NormRows {
 public:
  HWY_INLINE void Begin() { largest_ = Each<uint32_t>(Nothing()), sum_ = ZeroRow<float>(); }
  HWY_INLINE void See(const Row<float>& u) {
    for (size_t k = 0; k < Row<float>::kVectors; ++k) {
      const auto x = hn::Abs(u.v[k]);
      largest_.v[k] = hn::Max(largest_.v[k], hn::BitCast(Uints(), x));
      if constexpr (kMagnitudes) sum_.v[k] = hn::Add(sum_.v[k], x);
      if constexpr (kSquares) sum_.v[k] = hn::Add(sum_.v[k], hn::Mul(x, x));
    }
  }
  HWY_INLINE float largest() const {
    auto all = largest_.v[0];
    for (size_t k = 1; k < Row<float>::kVectors; ++k) all = hn::Max(all, largest_.v[k]);
    return std::bit_cast<float>(hn::GetLane(hn::MaxOfLanes(Uints(), all)));
  }
  HWY_INLINE float sum() const {
    std::array<float, kRow> lanes;
    StoreRow(sum_, lanes.data());
    return scalar::Fold(lanes);
  }

 private:
  struct Nothing {
    HWY_INLINE Vec<uint32_t> operator()(size_t) const { return hn::Zero(Uints()); }
  };
  Row<uint32_t> largest_;
  Row<float> sum_;
};

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
