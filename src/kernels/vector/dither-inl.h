// SPDX-License-Identifier: Apache-2.0
// Random dithering of floats: norm, levels, draws and codes of a block while it lies in the first-level cache. Blocks
// that are not whole, norms near the ends of float, and norms of fewer elements than a block are left to the
// specification.
#if defined(GRADWIRE_VECTOR_DITHER_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_DITHER_INL_H
#undef GRADWIRE_VECTOR_DITHER_INL_H
#else
#define GRADWIRE_VECTOR_DITHER_INL_H
#endif

#include <cmath>
#include <cstring>
#include <type_traits>

#include "kernels/scalar/dither.h"
#include "kernels/vector/add-inl.h"
#include "kernels/vector/norm-inl.h"
#include "kernels/vector/round-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

/// Where the codes of a block go, Put<j>(i, codes of row j of two at i): as bytes, two to a byte, or in 16 bits for
/// the specification to pack.
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
    if constexpr (j == 0) {
      lower = codes;
    } else {
      Row<int32_t> both;
      for (size_t k = 0; k < Row<int32_t>::kVectors; ++k) both.v[k] = hn::Or(lower.v[k], hn::ShiftLeft<4>(codes.v[k]));
      StoreCodes(both, out + i / 2);
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

/// Rounds a whole block. Not inlined, so that there is one for the three norms. What it works with is copied, as in
/// Block: what has no address lives in registers.
template <bool kKeeps, typename Rows, typename Sink, typename B>
HWY_NOINLINE void RoundBlock(const Draws& draws, const DrawRows& generators, Rows how, const Levels<float>& levels,
                             size_t first, B block, Sink sink) {
  DrawRows rows = generators;
  rows.Begin(first);
  const auto round = [&]<size_t j>(std::integral_constant<size_t, j>, size_t i) GRADWIRE_INLINED {
    const size_t at = i + j * kRow;
    block.Fetch(at);
    Row<float> u = block.Load(at);
    const Row<int32_t> codes = how.template Round<j>(draws, rows, levels, u, first + at);
    sink.template Put<j>(i, codes);
    if constexpr (kKeeps) {
      for (size_t k = 0; k < Row<float>::kVectors; ++k) u.v[k] = hn::Sub(u.v[k], how.Value(codes.v[k]));
      block.Store(at, u);
    }
  };
  for (size_t i = 0; i < kBlock; i += 2 * kRow) {
    rows.Next();
    round(std::integral_constant<size_t, 0>(), i), round(std::integral_constant<size_t, 1>(), i);
  }
}

template <bool kMagnitudes, bool kSquares>
class DitherEncoder {
 public:
  using Look = NormRows<kMagnitudes, kSquares>;
  static constexpr bool kComputes = true;
  HWY_INLINE DitherEncoder(const Dithering& how, const Draws& draws, size_t n, std::byte* payload)
      : how_(how), draws_(draws), rows_(draws), n_(n), payload_(payload) {}

  template <typename B>
  HWY_INLINE void End(size_t first, const B& block, const SeenNorm& seen) const {
    if (block.n() < kBlock || !IsOrdinary(seen.largest) || (how_.powers && how_.count > kMostPowers))
      return Specified(first, block);
    const float clipped = 2.5f * (seen.norm / std::sqrt(static_cast<float>(kBlock)));
    const float norm = how_.clip ? std::min(seen.largest, clipped) : seen.norm;
    std::memcpy(payload_ + first / kBlock * sizeof(float), &norm, sizeof(float));
    const Levels<float> levels = scalar::LevelsOf(how_, norm);
    const unsigned width = scalar::SpaceOf(how_).width();
    if (how_.powers) return Pack(PowerRows(levels), levels, first, block);
    if (how_.clip) return Pack(EvenRows<true>(levels), levels, first, block);
    if (width != 8 && width != 4) return Pack(EvenRows<false>(levels), levels, first, block);
    auto* packed = reinterpret_cast<uint8_t*>(scalar::PackedOf<float>(payload_, how_, n_));
    width == 8
        ? Round(EvenRows<false>(levels), levels, first, block, ByteCodes{packed + first})
        : Round(EvenRows<false>(levels), levels, first, block, NibbleCodes{packed + first / 2, ZeroRow<int32_t>()});
  }

 private:
  template <typename B>
  HWY_INLINE void Specified(size_t first, const B& block) const {
    float scratch[kBlock];
    scalar::DitherBlock<float>(how_, draws_, n_, first, block.Write(scratch), payload_);
  }

  template <typename Rows, typename B>
  HWY_INLINE void Pack(const Rows& how, const Levels<float>& levels, size_t first, const B& block) const {
    uint16_t codes[kBlock];
    Round(how, levels, first, block, WideCodes{codes});
    scalar::SpaceOf(how_).Pack(n_, first, codes, scalar::PackedOf<float>(payload_, how_, n_));
  }

  template <typename Rows, typename B, typename Sink>
  HWY_INLINE void Round(const Rows& how, const Levels<float>& levels, size_t first, const B& block, Sink sink) const {
    if (block.keeps())
      RoundBlock<true>(draws_, rows_, how, levels, first, block, sink);
    else
      RoundBlock<false>(draws_, rows_, how, levels, first, block, sink);
  }

  const Dithering& how_;
  const Draws& draws_;
  const DrawRows rows_;
  const size_t n_;
  std::byte* payload_;
};

/// The specification, as the compiler makes it for this instruction set.
__attribute__((flatten)) inline bool EncodeSpecified(const Source<float>& source, const Dithering& how,
                                                     const Draws& draws, std::byte* payload) {
  return scalar::EncodeDithered<float>(source, how, draws, payload);
}

inline bool EncodeDithered(const Source<float>& source, const Dithering& how, const Draws& draws, std::byte* payload) {
  if (how.block != kBlock) return EncodeSpecified(source, how, draws, payload);
  if (how.norm == Norm::kL1)
    return HWY_NAMESPACE::ForBlocksOf<float>(source, DitherEncoder<true, false>(how, draws, source.n, payload));
  if (how.norm == Norm::kL2 || how.clip)  // which looks at both norms
    return HWY_NAMESPACE::ForBlocksOf<float>(source, DitherEncoder<false, true>(how, draws, source.n, payload));
  return HWY_NAMESPACE::ForBlocksOf<float>(source, DitherEncoder<false, false>(how, draws, source.n, payload));
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
