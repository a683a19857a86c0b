// SPDX-License-Identifier: Apache-2.0
// Signs: a scale for each block and a bit an element, in one pass; and their sum over ranks, each element written once.
#if defined(GRADWIRE_VECTOR_SIGN_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_SIGN_INL_H
#undef GRADWIRE_VECTOR_SIGN_INL_H
#else
#define GRADWIRE_VECTOR_SIGN_INL_H
#endif

#include <algorithm>
#include <limits>

#include "kernels/scalar/sign.h"
#include "kernels/vector/add-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

/// A row's bits of u < 0, and what is left of it without scale * sign(u).
template <typename T>
HWY_INLINE uint32_t TakeSigns(Vec<T> plus, Row<T>& u) {
  const auto minus = hn::Neg(plus);
  uint32_t bits = 0;
  for (size_t k = 0; k < Row<T>::kVectors; ++k) {
    const auto negative = hn::Lt(u.v[k], hn::Zero(Tag<T>()));
    bits |= BitsOf<T>(negative, k);
    u.v[k] = hn::Sub(u.v[k], hn::IfThenElse(negative, minus, plus));
  }
  return bits;
}

template <typename T>
class MagnitudeRows {
 public:
  struct Result {
    T sum;
    bool finite;
  };
  HWY_INLINE MagnitudeRows() {}  // written, as those of its members
  HWY_INLINE void See(const Row<T>& u) {
    finite_.See(u);
    sum_.Add(Each<T>([&](size_t k) HWY_ATTR { return hn::Abs(u.v[k]); }));
  }
  HWY_INLINE Result Seen() { return {sum_.sum(), finite_.all()}; }

 private:
  Finite<T> finite_;
  RowSum<T> sum_;
};

template <typename T>
class SignEncoder {
 public:
  using Look = MagnitudeRows<T>;
  SignEncoder(std::byte* scales, uint8_t* bits) : scales_(scales), bits_(bits) {}

  template <typename B>
  HWY_INLINE void End(size_t first, const B& block, typename Look::Result seen) {
    const T mean = seen.sum / static_cast<T>(block.n()), scale = std::min(mean, std::numeric_limits<T>::max());
    std::memcpy(scales_ + first / kBlock * sizeof(T), &scale, sizeof(T));
    const auto plus = hn::Set(Tag<T>(), scale);
    uint8_t* bits = bits_ + first / 8;
    block.TakeRows([&](size_t i, size_t elements, Row<T>& u) HWY_ATTR {
      const auto of_row = static_cast<uint16_t>(TakeSigns<T>(plus, u));
      std::memcpy(bits + i / 8, &of_row, elements == kRow ? 2 : (elements + 7) / 8);
    });
  }

 private:
  std::byte* scales_;
  uint8_t* bits_;
};

template <typename T>
bool EncodeSigns(const Source<T>& source, std::byte* scales, uint8_t* bits) {
  return ForBlocksOf<T>(source, SignEncoder<T>(scales, bits));
}

/// Payloads that are summed at once; of more, the sum of the first ones is read again.
inline constexpr size_t kMostSigns = 64;

/// plus, or minus that by bit: where an instruction set has masks it chooses, else the bit moves to where signs are.
template <typename T>
HWY_INLINE Vec<T> Signed(Vec<T> plus, uint32_t bits, size_t k) {
#if HWY_TARGET == HWY_AVX3
  return hn::IfThenElse(MaskOf<T>(bits, k), hn::Neg(plus), plus);
#else
  const hn::RebindToUnsigned<Tag<T>> du;
  using Word = hn::TFromD<decltype(du)>;
  const auto places = hn::Sub(hn::Set(du, static_cast<Word>(8 * sizeof(T) - 1 - k * Row<T>::kLanes)), hn::Iota(du, 0));
  const auto sign =
      hn::And(hn::Shl(hn::Set(du, static_cast<Word>(bits)), places), hn::BitCast(du, hn::SignBit(Tag<T>())));
  return hn::BitCast(Tag<T>(), hn::Xor(hn::BitCast(du, plus), sign));
#endif
}

/// Rows that are summed together: what all their vectors need of a payload is made once.
template <typename T>
inline constexpr size_t kRowsOfSigns = Row<T>::kVectors > 4 ? 1 : HWY_MIN(4, 8 / Row<T>::kVectors);

/// The signs of rows, payload by payload, onto `sums`. `value`: of each payload, in this block. `bytes`: of the rows'
/// bits, from byte `at` on.
template <typename T, size_t kRows>
HWY_INLINE void AddRowsOfSigns(std::span<const Signs<T>> all, const T* value, size_t at, size_t bytes, Row<T>* sums) {
  for (size_t r = 0; r < all.size(); ++r) {
    uint64_t bits = 0;
    std::memcpy(&bits, all[r].bits + at, bytes);
    const auto plus = hn::Set(Tag<T>(), value[r]);
    for (size_t row = 0; row < kRows; ++row)
      for (size_t k = 0; k < Row<T>::kVectors; ++k)
        sums[row].v[k] = hn::Add(sums[row].v[k], Signed<T>(plus, bits >> (kRow * row) & 0xffff, k));
  }
}

template <typename T, size_t kRows>
HWY_INLINE void SumRowsOfSigns(std::span<const Signs<T>> all, const T* value, size_t at, Into into, T* out) {
  Row<T> sums[kRows];
  for (size_t row = 0; row < kRows; ++row) sums[row] = into == Into::kAdd ? LoadRow(out + kRow * row) : ZeroRow<T>();
  AddRowsOfSigns<T, kRows>(all, value, at, kRows * kRow / 8, sums);
  for (size_t row = 0; row < kRows; ++row)
    into == Into::kStream ? StreamRow(sums[row], out + kRow * row) : StoreRow(sums[row], out + kRow * row);
}

template <typename T>
HWY_INLINE void SumSignsOfBlock(std::span<const Signs<T>> all, Into into, size_t first, std::span<T> out) {
  T value[kMostSigns];
  for (size_t r = 0; r < all.size(); ++r)
    value[r] = all[r].weight * scalar::ValueAt<T>(all[r].scales, all[r].one_scale ? 0 : first / kBlock);
  constexpr size_t kRows = kRowsOfSigns<T>;
  size_t i = 0;
  for (; i + kRows * kRow <= out.size(); i += kRows * kRow)
    SumRowsOfSigns<T, kRows>(all, value, (first + i) / 8, into, out.data() + i);
  for (; i + kRow <= out.size(); i += kRow) SumRowsOfSigns<T, 1>(all, value, (first + i) / 8, into, out.data() + i);
  if (i == out.size()) return;
  const size_t rest = out.size() - i;
  Row<T> sum = into == Into::kAdd ? LoadPart(out.data() + i, rest) : ZeroRow<T>();
  AddRowsOfSigns<T, 1>(all, value, (first + i) / 8, (rest + 7) / 8, &sum);
  StorePart(sum, out.data() + i, rest);
}

template <typename T>
void SumSigns(std::span<const Signs<T>> all, Into into, std::span<T> out) {
  if (into == Into::kStream && (!MayStream(out.data()) || all.size() > kMostSigns)) into = Into::kWrite;
  size_t done = 0;
  do {
    const auto some = all.subspan(done, std::min(kMostSigns, all.size() - done));
    for (size_t first = 0; first < out.size(); first += kBlock)
      SumSignsOfBlock(some, done == 0 ? into : Into::kAdd, first,
                      out.subspan(first, std::min(kBlock, out.size() - first)));
    done += some.size();
  } while (done < all.size());
  if (into == Into::kStream) hwy::FlushStream();
}

template <typename T>
constexpr void PutSign(Table<T>& table) {
  table.EncodeSigns = EncodeSigns<T>;
  table.SumSigns = SumSigns<T>;
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
