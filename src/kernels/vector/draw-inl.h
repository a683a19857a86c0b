// SPDX-License-Identifier: Apache-2.0
// The draws of elements in vectors: Philox of seven rounds, 16 blocks side by side, where scalar/draw.h has them.
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

/// Elements whose draws come from the same 16 blocks: eight rows of them.
inline constexpr size_t kDrawGroup = scalar::Draw<float>::kGroup, kGroupRows = kDrawGroup / kRow;

using Words = Tag<uint32_t>;

/// Upper halves of the draws of float elements. Each block stands in the lower half of a 64-bit lane, where products
/// need no gathering: their upper halves move down, and what is left above is not looked at.
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
    key0_2_ = hn::Set(d, Key0(draws, 2)), key1_2_ = hn::Set(d, Key1(draws, 2));
    key0_3_ = hn::Set(d, Key0(draws, 3)), key1_3_ = hn::Set(d, Key1(draws, 3));
    key0_4_ = hn::Set(d, Key0(draws, 4)), key1_4_ = hn::Set(d, Key1(draws, 4));
    key0_5_ = hn::Set(d, Key0(draws, 5)), key1_5_ = hn::Set(d, Key1(draws, 5));
    key0_6_ = hn::Set(d, Key0(draws, 6)), key1_6_ = hn::Set(d, Key1(draws, 6));
  }

  /// Of the group of elements that begins at `first`, a multiple of kDrawGroup: row i of it has its halves in Half(i).
  HWY_INLINE void Draw(size_t first) {
    constexpr Words d;
    const auto block = static_cast<uint32_t>(first / kDrawGroup * kRow);
    for (size_t k = 0; k < Row<uint32_t>::kVectors; ++k) {
      const auto lanes = hn::Add(numbers_, hn::Set(d, block + static_cast<uint32_t>(k * Row<uint32_t>::kLanes)));
      const Four even = Blocks(lanes), odd = Blocks(Upper(lanes));
      words_[0].v[k] = Join(even.c0, odd.c0);
      words_[1].v[k] = Join(even.c1, odd.c1);
      words_[2].v[k] = Join(even.c2, odd.c2);
      words_[3].v[k] = Join(even.c3, odd.c3);
    }
  }

  /// The k-th vector of row i's halves.
  template <size_t i>
  HWY_INLINE Vec<uint32_t> Half(size_t k) const {
    if constexpr (i % 2 == 0)
      return hn::And(words_[i / 2].v[k], hn::Set(Words(), 0xffff));
    else
      return hn::ShiftRight<16>(words_[i / 2].v[k]);
  }

 private:
  using V = Vec<uint32_t>;
  using Wide = hn::RepartitionToWide<Words>;
  struct Four {
    V c0, c1, c2, c3;
  };

  static constexpr uint32_t kFactor0 = 0xD2511F53, kFactor1 = 0xCD9E8D57;

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

  static HWY_INLINE Four Round(Four c, V key0, V key1) {
    const V p0 = Product(c.c0, kFactor0), p1 = Product(c.c2, kFactor1);
    return {hn::Xor3(Upper(p1), c.c1, key0), p1, hn::Xor3(Upper(p0), c.c3, key1), p0};
  }

  /// Of the block numbers in the even lanes. They differ in one word only: the first two rounds have one product each.
  HWY_INLINE Four Blocks(V block) const {
    const V p0 = Product(block, kFactor0);
    const V p1 = Product(hn::Xor(Upper(p0), first_), kFactor1);
    Four c = {hn::Xor(Upper(p1), second0_), p1, hn::Xor(p0, second2_), second3_};
    c = Round(c, key0_2_, key1_2_), c = Round(c, key0_3_, key1_3_), c = Round(c, key0_4_, key1_4_);
    c = Round(c, key0_5_, key1_5_);
    return Round(c, key0_6_, key1_6_);
  }

  V numbers_;  ///< 0, 1, ...
  // What is the same in all blocks, and the keys.
  V first_, second0_, second2_, second3_;
  V key0_2_, key1_2_, key0_3_, key1_3_, key0_4_, key1_4_, key0_5_, key1_5_, key0_6_, key1_6_;
  Row<uint32_t> words_[4];
};

/// The whole draw of element i of the piece.
inline uint32_t WholeDraw(const Draws& draws, size_t i) {
  const auto half = [&](uint32_t part) {
    const scalar::Counter c = scalar::DrawnBlock(draws, static_cast<uint32_t>(i / kDrawGroup * kRow + i % kRow) + part);
    const uint32_t words[] = {c.c0, c.c1, c.c2, c.c3}, word = words[i % kDrawGroup / (2 * kRow)];
    return i % (2 * kRow) < kRow ? word & 0xffff : word >> 16;
  };
  return half(0) << 16 | half(scalar::Draw<float>::kLower);
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
