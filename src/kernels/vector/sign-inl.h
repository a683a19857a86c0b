// SPDX-License-Identifier: Apache-2.0
// Signs: a scale for each block and a bit an element, in one pass; and their sum over ranks, each element written once.
#if defined(GRADWIRE_VECTOR_SIGN_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_SIGN_INL_H
#undef GRADWIRE_VECTOR_SIGN_INL_H
#else
#define GRADWIRE_VECTOR_SIGN_INL_H
#endif

#include <algorithm>
#include <array>
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
class SignEncoder {
 public:
  SignEncoder(std::byte* scales, uint8_t* bits) : scales_(scales), bits_(bits) {}

  HWY_INLINE void Begin() { sum_ = ZeroRow<T>(); }
  HWY_INLINE void See(const Row<T>& u) {
    for (size_t k = 0; k < Row<T>::kVectors; ++k) sum_.v[k] = hn::Add(sum_.v[k], hn::Abs(u.v[k]));
  }
  template <typename B>
  HWY_INLINE void End(size_t first, const B& block) {
    std::array<T, kRow> lanes;
    StoreRow(sum_, lanes.data());
    const T mean = scalar::Fold(lanes) / static_cast<T>(block.n()),
            scale = std::min(mean, std::numeric_limits<T>::max());
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
  Row<T> sum_;
};

template <typename T>
bool EncodeSigns(const Source<T>& source, std::byte* scales, uint8_t* bits) {
  return ForBlocksOf<T>(source, SignEncoder<T>(scales, bits));
}

/// Payloads that are summed at once; of more, the sum of the first ones is read again.
inline constexpr size_t kMostSigns = 64;

/// The sum of a row's signs, in order, onto `sum`. `value`: of each payload, in this block. `at`: the row's first byte.
template <typename T>
HWY_INLINE void AddRowOfSigns(std::span<const Signs<T>> all, const T* value, size_t at, size_t bytes, Row<T>& sum) {
  for (size_t r = 0; r < all.size(); ++r) {
    uint16_t bits = 0;
    std::memcpy(&bits, all[r].bits + at, bytes);
    const auto plus = hn::Set(Tag<T>(), value[r]), minus = hn::Neg(plus);
    for (size_t k = 0; k < Row<T>::kVectors; ++k)
      sum.v[k] = hn::Add(sum.v[k], hn::IfThenElse(MaskOf<T>(bits, k), minus, plus));
  }
}

template <typename T>
HWY_INLINE void SumSignsOfBlock(std::span<const Signs<T>> all, Into into, size_t first, std::span<T> out) {
  T value[kMostSigns];
  for (size_t r = 0; r < all.size(); ++r)
    value[r] = all[r].weight * scalar::ValueAt<T>(all[r].scales, all[r].one_scale ? 0 : first / kBlock);
  const size_t whole = out.size() / kRow * kRow;
  for (size_t i = 0; i < whole; i += kRow) {
    Row<T> sum = into == Into::kAdd ? LoadRow(out.data() + i) : ZeroRow<T>();
    AddRowOfSigns(all, value, (first + i) / 8, 2, sum);
    into == Into::kStream ? StreamRow(sum, out.data() + i) : StoreRow(sum, out.data() + i);
  }
  if (whole == out.size()) return;
  const size_t rest = out.size() - whole;
  Row<T> sum = into == Into::kAdd ? LoadPart(out.data() + whole, rest) : ZeroRow<T>();
  AddRowOfSigns(all, value, (first + whole) / 8, (rest + 7) / 8, sum);
  StorePart(sum, out.data() + whole, rest);
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
