// SPDX-License-Identifier: Apache-2.0
// What fused kernels share: rows of 16 elements, sums of them, and a source's blocks.
#if defined(GRADWIRE_VECTOR_ADD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_ADD_INL_H
#undef GRADWIRE_VECTOR_ADD_INL_H
#else
#define GRADWIRE_VECTOR_ADD_INL_H
#endif

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/kernels.h"
#include "kernels/scalar/add.h"
#include "kernels/vector/row-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

/// Gathers whether all elements that it has seen are finite: x - x is +0 of those, and NaN of others.
template <typename T>
class Finite {
 public:
  HWY_INLINE Finite() : any_(ZeroRow<T>()) {}  // written: a generated one would be for the baseline's instructions
  HWY_INLINE void See(const Row<T>& x) {
    for (size_t k = 0; k < Row<T>::kVectors; ++k) any_.v[k] = hn::Or(any_.v[k], hn::Sub(x.v[k], x.v[k]));
  }
  HWY_INLINE bool all() const {
    const hn::RebindToUnsigned<Tag<T>> du;
    auto any = hn::BitCast(du, any_.v[0]);
    for (size_t k = 1; k < Row<T>::kVectors; ++k) any = hn::Or(any, hn::BitCast(du, any_.v[k]));
    return hn::AllTrue(du, hn::Eq(any, hn::Zero(du)));
  }

 private:
  Row<T> any_;
};

/// A block of a source: its elements of u are made from memory at each sweep, so that nothing is written before the
/// block is known to be finite, and then once.
template <typename T, bool kHasResidual>
class Block {
 public:
  /// `left`: where u - C(u) of this block goes; null: nowhere.
  HWY_INLINE Block(const Source<T>& source, size_t first, T* left, bool fetches)
      : n_(HWY_MIN(kBlock, source.n - first)),
        v_(source.v.empty() ? kZeroBlock<T> : source.v.data() + first),
        factor_(source.scale),
        scale_(hn::Set(Tag<T>(), source.scale)),
        residual_(kHasResidual ? source.residual.data() + first : nullptr),
        left_(left),
        fetches_(fetches && !source.v.empty() && first + 2 * kBlock <= source.n) {}

  HWY_INLINE size_t n() const { return n_; }
  HWY_INLINE size_t whole() const { return n_ / kRow * kRow; }
  /// Whether it is finite; else v counts as zero from here on.
  HWY_INLINE bool Check() {
    Finite<T> finite;
    ForRows([&](const Row<T>& u) HWY_ATTR { finite.See(u); });
    if (finite.all()) return true;
    DropV();
    return false;
  }
  HWY_INLINE void DropV() {
    v_ = kZeroBlock<T>;
    fetches_ = false;
  }

  /// Row i / 16 of u; of the last one, which has fewer elements, LoadTail: the others are 0.
  HWY_INLINE Row<T> Load(size_t i) const {
    return Each<T>([&](size_t k) HWY_ATTR {
      const size_t at = i + k * Row<T>::kLanes;
      const auto scaled = hn::Mul(scale_, hn::LoadU(Tag<T>(), v_ + at));
      if constexpr (kHasResidual) return hn::Add(scaled, hn::LoadU(Tag<T>(), residual_ + at));
      return scaled;
    });
  }
  HWY_INLINE Row<T> LoadTail(size_t i) const {
    const Row<T> v = LoadPart(v_ + i, n_ - i), residual = kHasResidual ? LoadPart(residual_ + i, n_ - i) : ZeroRow<T>();
    return Each<T>([&](size_t k) HWY_ATTR {
      const auto scaled = hn::Mul(scale_, v.v[k]);
      if constexpr (kHasResidual) return hn::Add(scaled, residual.v[k]);
      return scaled;
    });
  }
  /// One element of it.
  HWY_INLINE T At(size_t i) const {
    const T scaled = factor_ * v_[i];
    return kHasResidual ? scaled + residual_[i] : scaled;
  }
  /// What is left of it, where that is wanted.
  HWY_INLINE void Store(size_t i, const Row<T>& left) const {
    if (left_ != nullptr) StoreRow(left, left_ + i);
  }
  HWY_INLINE void StoreTail(size_t i, const Row<T>& left) const {
    if (left_ != nullptr) StorePart(left, left_ + i, n_ - i);
  }
  /// All of u where what is left of it goes, or to `scratch`: for a specification, which takes it there.
  HWY_INLINE std::span<T> Write(T* scratch) const {
    T* const u = left_ != nullptr ? left_ : scratch;
    for (size_t i = 0; i < whole(); i += kRow) StoreRow(Load(i), u + i);
    if (whole() < n_) StorePart(LoadTail(whole()), u + whole(), n_ - whole());
    return {u, n_};
  }
  /// Asks for the next block's row (kernels::FetchesAhead).
  HWY_INLINE void Fetch(size_t i) const {
    if (!fetches_) return;
    hwy::Prefetch(v_ + kBlock + i);
    if (kHasResidual) hwy::Prefetch(residual_ + kBlock + i);
  }

  /// see(u) of each row.
  template <typename See>
  HWY_INLINE void ForRows(See&& see) const {
    for (size_t i = 0; i < whole(); i += kRow) see(Load(i));
    if (whole() < n_) see(LoadTail(whole()));
  }
  /// take(i, elements, u) of each row, which leaves in u what is left of it.
  template <typename Take>
  HWY_INLINE void TakeRows(Take&& take) const {
    for (size_t i = 0; i < whole(); i += kRow) {
      Fetch(i);
      Row<T> u = Load(i);
      take(i, kRow, u);
      Store(i, u);
    }
    if (whole() == n_) return;
    Row<T> u = LoadTail(whole());
    take(whole(), n_ - whole(), u);
    StoreTail(whole(), u);
  }

 private:
  const size_t n_;
  const T* v_;
  const T factor_;
  const Vec<T> scale_;
  const T* const residual_;
  T* const left_;
  bool fetches_;
};

template <typename T, bool kHasResidual, typename Encoder>
HWY_INLINE bool EncodeBlocks(const Source<T>& source, Encoder& encoder) {
  const bool fetches = FetchesAhead();
  bool all_finite = true;
  for (size_t first = 0; first < source.n; first += kBlock) {
    Block<T, kHasResidual> block(source, first, source.left.empty() ? nullptr : source.left.data() + first, fetches);
    Finite<T> finite;
    encoder.Begin();
    block.ForRows([&](const Row<T>& u) HWY_ATTR {
      finite.See(u);
      encoder.See(u);
    });
    if (!finite.all()) {
      all_finite = false;
      block.DropV();
      encoder.Begin();
      block.ForRows([&](const Row<T>& u) HWY_ATTR { encoder.See(u); });
    }
    encoder.End(first, block);
  }
  return all_finite;
}

/// Calls encoder.Begin(), See(u) for each row of a block, and End(first, block), for each block of a source. Returns
/// whether all of u was finite.
template <typename T, typename Encoder>
HWY_INLINE bool ForBlocksOf(const Source<T>& source, Encoder&& encoder) {
  return source.residual.empty() ? EncodeBlocks<T, false>(source, encoder) : EncodeBlocks<T, true>(source, encoder);
}

class NoEncoder {
 public:
  HWY_INLINE void Begin() {}
  template <typename R>
  HWY_INLINE void See(const R&) {}
  template <typename B>
  HWY_INLINE void End(size_t, const B& block) {
    block.TakeRows([](size_t, size_t, auto&) HWY_ATTR {});
  }
};

template <typename T>
bool AddChecked(const Source<T>& source) {
  return ForBlocksOf(source, NoEncoder());
}

template <typename T>
void StreamTo(std::span<const T> from, std::span<T> out) {
  if (!MayStream(out.data())) return scalar::StreamTo(from, out);
  const size_t whole = out.size() / kRow * kRow;
  for (size_t i = 0; i < whole; i += kRow) StreamRow(LoadRow(from.data() + i), out.data() + i);
  hwy::FlushStream();
  scalar::StreamTo(from.subspan(whole), out.subspan(whole));
}

template <typename T>
constexpr void PutAdd(Table<T>& table) {
  table.AddChecked = AddChecked<T>;
  table.StreamTo = StreamTo<T>;
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
