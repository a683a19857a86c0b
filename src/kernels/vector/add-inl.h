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

/// Brings the rows of the next block into the cache while this one is encoded: a second sweep over a block asks for
/// nothing, and the memory would be idle (measured on an Intel Xeon: sign 1.32 updates without, 1.16 with).
template <typename T>
class Ahead {
 public:
  HWY_INLINE Ahead(const Source<T>& source, size_t first)
      : v_(At(source.v, source.n, first)), residual_(At(source.residual, source.n, first)) {}
  /// Row by row, i = 0, 16, 32, ...
  HWY_INLINE void Fetch(size_t i) const {
    hwy::Prefetch(v_ + i);
    hwy::Prefetch(residual_ + i);
  }

 private:
  /// Behind the end there is nothing to ask for, and of no vector: asking for nothing's address does no harm.
  static HWY_INLINE const T* At(std::span<const T> of, size_t n, size_t first) {
    return of.empty() || first + 2 * kBlock > n ? of.data() : of.data() + first + kBlock;
  }
  const T* v_;
  const T* residual_;
};

/// Elements first .. first + n - 1 of a source into u, with `see` of each row, the last one filled up with zeros.
template <typename T, typename See>
HWY_INLINE void AddBlock(const Source<T>& source, size_t first, size_t n, T* u, See&& see) {
  const size_t whole = n / kRow * kRow;
  if (source.v.empty()) {  // rare: nothing but memory, or zeros
    scalar::AddPart(source, first, n, u);
    for (size_t i = 0; i < whole; i += kRow) see(LoadRow(u + i));
    if (whole < n) see(LoadPart(u + whole, n - whole));
    return;
  }
  const T* v = source.v.data() + first;
  const auto scale = hn::Set(Tag<T>(), source.scale);
  if (source.residual.empty()) {
    const auto take = [&](const Row<T>& x) HWY_ATTR {
      const Row<T> row = Each<T>([&](size_t k) HWY_ATTR { return hn::Mul(scale, x.v[k]); });
      see(row);
      return row;
    };
    for (size_t i = 0; i < whole; i += kRow) StoreRow(take(LoadRow(v + i)), u + i);
    if (whole < n) StorePart(take(LoadPart(v + whole, n - whole)), u + whole, n - whole);
    return;
  }
  HWY_ALIGN T nowhere[kBlock];
  const T* residual = source.residual.data() + first;
  T* kept = source.kept.empty() ? nowhere : source.kept.data() + first;
  const auto take = [&](const Row<T>& x, const Row<T>& e) HWY_ATTR {
    const Row<T> row = Each<T>([&](size_t k) HWY_ATTR { return hn::Add(hn::Mul(scale, x.v[k]), e.v[k]); });
    see(row);
    return row;
  };
  // Some rows are read before any is written: one by one, writing `kept` held up the reads (on an AMD EPYC, in the
  // cache: 12 us a piece for 14).
  size_t at = 0;
  constexpr size_t kSome = HWY_MAX(1, 4 / Row<T>::kVectors);  // within the registers
  for (; at + kSome * kRow <= whole; at += kSome * kRow) {
    Row<T> e[kSome], x[kSome];
    for (size_t k = 0; k < kSome; ++k) e[k] = LoadRow(residual + at + k * kRow), x[k] = LoadRow(v + at + k * kRow);
    for (size_t k = 0; k < kSome; ++k) StoreRow(e[k], kept + at + k * kRow);
    for (size_t k = 0; k < kSome; ++k) StoreRow(take(x[k], e[k]), u + at + k * kRow);
  }
  for (size_t i = at; i < whole; i += kRow) {
    const Row<T> e = LoadRow(residual + i);
    StoreRow(e, kept + i);
    StoreRow(take(LoadRow(v + i), e), u + i);
  }
  if (whole < n) {
    const Row<T> e = LoadPart(residual + whole, n - whole);
    StorePart(e, kept + whole, n - whole);
    StorePart(take(LoadPart(v + whole, n - whole), e), u + whole, n - whole);
  }
}

/// Calls encoder.Begin(), See(row) for each row of a block's u, and End(first, n, u, ahead), which leaves u - C(u) in
/// u, for each block of a source. Returns whether u is finite.
template <typename T, typename Encoder>
HWY_INLINE bool ForBlocksOf(const Source<T>& source, Encoder&& encoder) {
  HWY_ALIGN T scratch[kBlock];
  Finite<T> finite;
  for (size_t first = 0; first < source.n; first += kBlock) {
    const size_t n = HWY_MIN(kBlock, source.n - first);
    T* u = source.left.empty() ? scratch : source.left.data() + first;
    encoder.Begin();
    AddBlock(source, first, n, u, [&](const Row<T>& row) HWY_ATTR {
      finite.See(row);
      encoder.See(row);
    });
    encoder.End(first, n, u, Ahead<T>(source, first));
  }
  return finite.all();
}

template <typename T>
bool AddKeeping(const Source<T>& source, std::span<T> u) {
  Finite<T> finite;
  for (size_t first = 0; first < u.size(); first += kBlock) {
    // Into the next page, at which the processor's own prefetching ends (measured on an AMD EPYC, 4 KiB pages: 1.1
    // updates for 1.4). Not where more is done with a block than this: there it cost as much.
    Ahead<T>(source, first).Fetch(0);
    AddBlock(source, first, HWY_MIN(kBlock, u.size() - first), u.data() + first,
             [&](const Row<T>& row) HWY_ATTR { finite.See(row); });
  }
  return finite.all();
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
  table.AddKeeping = AddKeeping<T>;
  table.StreamTo = StreamTo<T>;
}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
