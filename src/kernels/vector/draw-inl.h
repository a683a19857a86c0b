// SPDX-License-Identifier: Apache-2.0
// The draws of elements in vectors: 16 generators side by side, and Philox of seven rounds that begins them, where
// scalar/draw.h has them.
#if defined(GRADWIRE_VECTOR_DRAW_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_DRAW_INL_H
#undef GRADWIRE_VECTOR_DRAW_INL_H
#else
#define GRADWIRE_VECTOR_DRAW_INL_H
#endif

#include "kernels/scalar/draw.h"
#include "kernels/vector/row-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

using Words = Tag<uint32_t>;

/// Upper halves of the draws of float elements. Philox's blocks stand in the lower halves of 64-bit lanes, where
/// products need no gathering: their upper halves move down, and what is left above is not looked at.
class DrawRows {
 public:
  HWY_INLINE explicit DrawRows(const Draws& draws) {
    constexpr Words d;
    numbers_ = hn::Iota(d, 0);  // once: it is stored word by word, and a load of the whole waits for that
    const uint64_t p1 = uint64_t{kFactor1} * draws.counter[1];
    const uint32_t c0 = static_cast<uint32_t>(p1 >> 32) ^ draws.counter[0] ^ draws.key[0];
    const uint64_t p0 = uint64_t{kFactor0} * c0;
    first_ = hn::Set(d, draws.counter[2] ^ draws.key[1]);
    second0_ = hn::Set(d, static_cast<uint32_t>(p1) ^ Key0(draws, 1));
    second2_ = hn::Set(d, static_cast<uint32_t>(p0 >> 32) ^ Key1(draws, 1));
    second3_ = hn::Set(d, static_cast<uint32_t>(p0));
    for (uint32_t round = 2; round < kRounds; ++round) {
      key0_[round] = Key0(draws, round);
      key1_[round] = Key1(draws, round);
    }
  }

  /// Of the block that begins at `first`, a multiple of kBlock.
  HWY_INLINE void Begin(size_t first) {
    constexpr Words d;
    const auto number = static_cast<uint32_t>(first / kBlock * kRow);
    for (size_t k = 0; k < Row<uint32_t>::kVectors; ++k) {
      const auto lanes = hn::Add(numbers_, hn::Set(d, number + static_cast<uint32_t>(k * Row<uint32_t>::kLanes)));
      const Four even = Blocks(lanes), odd = Blocks(Upper(lanes));
      s0_.v[k] = Join(even.c0, odd.c0), s1_.v[k] = Join(even.c1, odd.c1);
      s2_.v[k] = Join(even.c2, odd.c2), s3_.v[k] = Join(even.c3, odd.c3);
    }
  }

  /// Goes on to the next two rows: the first of them has its halves in Half<0>(k), k-th vector, the second in
  /// Half<1>(k).
  HWY_INLINE void Next() {
    for (size_t k = 0; k < Row<uint32_t>::kVectors; ++k) {
      const V s0 = s0_.v[k], s1 = s1_.v[k], s2 = hn::Xor(s2_.v[k], s0), s3 = hn::Xor(s3_.v[k], s1);
      words_.v[k] = hn::Add(Rotated<7>(hn::Add(s0, s3_.v[k])), s0);
      s0_.v[k] = hn::Xor(s0, s3), s1_.v[k] = hn::Xor(s1, s2);
      s2_.v[k] = hn::Xor(s2, hn::ShiftLeft<9>(s1)), s3_.v[k] = Rotated<11>(s3);
    }
  }
  template <size_t i>
  HWY_INLINE Vec<uint32_t> Half(size_t k) const {
    static_assert(i < 2);
    if constexpr (i == 0)
      return hn::And(words_.v[k], hn::Set(Words(), 0xffff));
    else
      return hn::ShiftRight<16>(words_.v[k]);
  }

 private:
  using V = Vec<uint32_t>;
  using Wide = hn::RepartitionToWide<Words>;
  struct Four {
    V c0, c1, c2, c3;
  };

  static constexpr uint32_t kFactor0 = 0xD2511F53, kFactor1 = 0xCD9E8D57, kRounds = 7;

  static HWY_INLINE uint32_t Key0(const Draws& draws, uint32_t round) { return draws.key[0] + round * 0x9E3779B9; }
  static HWY_INLINE uint32_t Key1(const Draws& draws, uint32_t round) { return draws.key[1] + round * 0xBB67AE85; }

  static HWY_INLINE V Product(V a, uint32_t factor) {
    return hn::BitCast(Words(), hn::MulEven(a, hn::Set(Words(), factor)));
  }
  static HWY_INLINE V Upper(V product) {
    return hn::BitCast(Words(), hn::ShiftRight<32>(hn::BitCast(Wide(), product)));
  }
  static HWY_INLINE V Join(V even, V odd) {
    return hn::OddEven(hn::BitCast(Words(), hn::ShiftLeft<32>(hn::BitCast(Wide(), odd))), even);
  }

  template <int kBits>
  static HWY_INLINE V Rotated(V v) {
    return hn::RotateRight<32 - kBits>(v);
  }

  HWY_INLINE Four Round(Four c, uint32_t round) const {
    const V p0 = Product(c.c0, kFactor0), p1 = Product(c.c2, kFactor1);
    return {hn::Xor3(Upper(p1), c.c1, hn::Set(Words(), key0_[round])), p1,
            hn::Xor3(Upper(p0), c.c3, hn::Set(Words(), key1_[round])), p0};
  }

  /// Of the block numbers in the even lanes. They differ in one word only: the first two rounds have one product each.
  HWY_INLINE Four Blocks(V block) const {
    const V p0 = Product(block, kFactor0);
    const V p1 = Product(hn::Xor(Upper(p0), first_), kFactor1);
    Four c = {hn::Xor(Upper(p1), second0_), p1, hn::Xor(p0, second2_), second3_};
    for (uint32_t round = 2; round < kRounds; ++round) c = Round(c, round);
    return c;
  }

  V numbers_;  ///< 0, 1, ...
  // What is the same in all blocks, and the keys of the later rounds.
  V first_, second0_, second2_, second3_;
  uint32_t key0_[kRounds], key1_[kRounds];
  Row<uint32_t> s0_, s1_, s2_, s3_, words_;
};

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
