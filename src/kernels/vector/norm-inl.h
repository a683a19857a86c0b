// SPDX-License-Identifier: Apache-2.0
// Norms of floats, row by row.
#if defined(GRADWIRE_VECTOR_NORM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_NORM_INL_H
#undef GRADWIRE_VECTOR_NORM_INL_H
#else
#define GRADWIRE_VECTOR_NORM_INL_H
#endif

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/scalar/norm.h"
#include "kernels/vector/add-inl.h"
#include "kernels/vector/codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

/// Such that neither sums nor levels need a scale: a norm is at most 2^10 times the largest magnitude.
HWY_INLINE bool IsOrdinary(float largest) { return largest == 0 || (largest >= 0x1p-40f && largest <= 0x1p40f); }

/// The largest magnitude and a norm of a block. The norm is one only where the largest magnitude is ordinary, or 0.
struct SeenNorm {
  float largest, norm;
  bool finite;
};

template <bool kMagnitudes, bool kSquares>
class NormRows {
 public:
  HWY_INLINE NormRows() : largest_(ZeroRow<uint32_t>()) {}

  HWY_INLINE void See(const Row<float>& u) {
    const Row<float> x = Each<float>([&](size_t k) HWY_ATTR { return hn::Abs(u.v[k]); });
    for (size_t k = 0; k < Row<float>::kVectors; ++k)
      largest_.v[k] = hn::Max(largest_.v[k], hn::BitCast(Uints(), x.v[k]));
    if constexpr (kMagnitudes) sum_.Add(x);
    if constexpr (kSquares) sum_.Add(Each<float>([&](size_t k) HWY_ATTR { return hn::Mul(x.v[k], x.v[k]); }));
  }
  /// Magnitudes order like their bits.
  HWY_INLINE SeenNorm Seen() {
    auto all = largest_.v[0];
    for (size_t k = 1; k < Row<float>::kVectors; ++k) all = hn::Max(all, largest_.v[k]);
    const uint32_t bits = hn::GetLane(hn::MaxOfLanes(Uints(), all));
    const auto largest = std::bit_cast<float>(bits);
    float norm = largest;
    if constexpr (kMagnitudes) norm = std::max(sum_.sum(), largest);
    if constexpr (kSquares) norm = std::max(std::sqrt(sum_.sum()), largest);
    return {largest, norm, bits < Bits<float>::kInfinity};
  }

 private:
  Row<uint32_t> largest_;
  RowSum<float> sum_;
};

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
