// SPDX-License-Identifier: Apache-2.0
// What fused kernels share: rows of 16 elements, sums of them, and a source's blocks.
#if defined(GRADWIRE_VECTOR_ADD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_ADD_INL_H
#undef GRADWIRE_VECTOR_ADD_INL_H
#else
#define GRADWIRE_VECTOR_ADD_INL_H
#endif

#include <type_traits>
#include <utility>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/kernels.h"
#include "kernels/scalar/add.h"
#include "kernels/scalar/norm.h"
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

/// s_j += s_(j + h) for h = half the lanes, a quarter, ..., 1; s_0.
template <typename D>
HWY_INLINE hn::TFromD<D> FoldLanes(D d, hn::Vec<D> lanes) {
  if constexpr (hn::MaxLanes(d) * sizeof(hn::TFromD<D>) > 16) {
    const hn::Half<D> half;
    return FoldLanes(half, hn::Add(hn::LowerHalf(half, lanes), hn::UpperHalf(half, lanes)));
  } else if constexpr (sizeof(hn::TFromD<D>) == 8) {
    return hn::GetLane(hn::Add(lanes, hn::Shuffle01(lanes)));
  } else {
    const auto two = hn::Add(lanes, hn::Shuffle1032(lanes));
    return hn::GetLane(hn::Add(two, hn::Shuffle2301(two)));
  }
}

/// A sum in the order of FORMAT.md, whose 64 lanes are four rows. They change places behind each row, so that a loop
/// over rows has one load of each stream, by which processors tell what to fetch ahead.
template <typename T>
class RowSum {
 public:
  HWY_INLINE RowSum() : first_(ZeroRow<T>()), second_(first_), third_(first_), fourth_(first_) {}
  HWY_INLINE void Add(const Row<T>& terms) {
    const Row<T> added = Each<T>([&](size_t k) HWY_ATTR { return hn::Add(first_.v[k], terms.v[k]); });
    first_ = second_, second_ = third_, third_ = fourth_, fourth_ = added;
    ++rows_;
  }
  HWY_INLINE T sum() {
    for (; rows_ % 4 != 0; ++rows_) std::swap(first_, fourth_), std::swap(first_, second_), std::swap(second_, third_);
    const Row<T> folded = Each<T>([&](size_t k) HWY_ATTR {
      return hn::Add(hn::Add(first_.v[k], third_.v[k]), hn::Add(second_.v[k], fourth_.v[k]));
    });
    auto lanes = folded.v[0];  // of 16 lanes those 8 apart, then those 4 apart, ...
    if constexpr (Row<T>::kVectors == 2) lanes = hn::Add(folded.v[0], folded.v[1]);
    if constexpr (Row<T>::kVectors == 4)
      lanes = hn::Add(hn::Add(folded.v[0], folded.v[2]), hn::Add(folded.v[1], folded.v[3]));
    if constexpr (Row<T>::kVectors == 8)
      lanes = hn::Add(hn::Add(hn::Add(folded.v[0], folded.v[4]), hn::Add(folded.v[2], folded.v[6])),
                      hn::Add(hn::Add(folded.v[1], folded.v[5]), hn::Add(folded.v[3], folded.v[7])));
    return FoldLanes(Tag<T>(), lanes);
  }

 private:
  Row<T> first_, second_, third_, fourth_;
  size_t rows_ = 0;
};

/// A block of a source: its elements of u are made from memory at each sweep, so that nothing is written before the
/// block is known to be finite, and then once.
template <typename T, bool kHasResidual>
class Block {
 public:
  HWY_INLINE Block(const Source<T>& source, size_t first, Fetching fetching)
      : n_(HWY_MIN(kBlock, source.n - first)),
        v_(source.v.empty() ? kZeroBlock<T> : source.v.data() + first),
        factor_(source.scale),
        scale_(hn::Set(Tag<T>(), source.scale)),
        residual_(kHasResidual ? source.residual.data() + first : nullptr),
        left_(source.left.empty() ? nullptr : source.left.data() + first),
        fetches_v_(fetching != Fetching::kNothing && !source.v.empty() && first + 2 * kBlock <= source.n),
        fetches_residual_(fetching == Fetching::kAll && fetches_v_) {}

  HWY_INLINE size_t n() const { return n_; }
  HWY_INLINE bool keeps() const { return left_ != nullptr; }
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
    fetches_v_ = fetches_residual_ = false;
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
  /// Asks for the next block's row (kernels::FetchingOf).
  HWY_INLINE void Fetch(size_t i) const {
    if (fetches_v_) hwy::Prefetch(v_ + kBlock + i);
    if (kHasResidual && fetches_residual_) hwy::Prefetch(residual_ + kBlock + i);
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
  bool fetches_v_, fetches_residual_;
};

/// One sweep over a block.
template <typename Look, typename B>
HWY_INLINE auto Sweep(const B& block) {
  Look look;
  block.ForRows([&](const auto& u) GRADWIRE_INLINED { look.See(u); });
  return look.Seen();
}

/// With v as zero where the block is not finite.
template <typename Look, typename B>
HWY_INLINE auto LookAt(B& block, bool& all_finite) {
  const auto seen = Sweep<Look>(block);
  if (HWY_LIKELY(seen.finite)) return seen;
  all_finite = false;
  block.DropV();
  return Sweep<Look>(block);
}

template <typename T, bool kHasResidual, typename Encoder>
HWY_INLINE bool EncodeBlocks(const Source<T>& source, Encoder& encoder) {
  const Fetching fetching = FetchingOf(
      kHasResidual, requires { Encoder::kComputes; });
  bool all_finite = true;
  for (size_t first = 0; first < source.n; first += kBlock) {
    Block<T, kHasResidual> block(source, first, fetching);
    const auto seen = LookAt<typename Encoder::Look>(block, all_finite);
    encoder.End(first, block, seen);
  }
  return all_finite;
}

/// Encodes a source block by block. An Encoder::Look has See(u) for the rows of one, and Seen(),
/// which says at least whether they were finite; End(first, block, seen) encodes it; kComputes: see FetchingOf. Returns
/// whether all of u was finite.
template <typename T, typename Encoder>
HWY_INLINE bool ForBlocksOf(const Source<T>& source, Encoder&& encoder) {
  using E = std::remove_reference_t<Encoder>;
  return source.residual.empty() ? EncodeBlocks<T, false, E>(source, encoder)
                                 : EncodeBlocks<T, true, E>(source, encoder);
}

template <typename T>
struct NoEncoder {
  class Look {
   public:
    struct Result {
      bool finite;
    };
    HWY_INLINE Look() {}  // written, as those of its members
    HWY_INLINE void See(const Row<T>& u) { finite_.See(u); }
    HWY_INLINE Result Seen() { return {finite_.all()}; }

   private:
    Finite<T> finite_;
  };
  template <typename B>
  HWY_INLINE void End(size_t, const B& block, typename Look::Result) {
    block.TakeRows([](size_t, size_t, auto&) HWY_ATTR {});
  }
};

template <typename T>
bool AddChecked(const Source<T>& source) {
  return ForBlocksOf(source, NoEncoder<T>());
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
