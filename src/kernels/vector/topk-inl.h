// SPDX-License-Identifier: Apache-2.0
// The largest elements of a piece: found as they pass, then chosen among the few that were found. For float; double,
// which is for small problems, takes the specification.
#if defined(GRADWIRE_VECTOR_TOPK_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADWIRE_VECTOR_TOPK_INL_H
#undef GRADWIRE_VECTOR_TOPK_INL_H
#else
#define GRADWIRE_VECTOR_TOPK_INL_H
#endif

#include "kernels/scalar/topk.h"
#include "kernels/vector/add-inl.h"
#include "kernels/vector/compress-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradwire::kernels::HWY_NAMESPACE {

using Magnitudes = hn::Vec<Tag<int32_t>>;  // below 2^31: signed numbers order them, as all sets can

HWY_INLINE Magnitudes MagnitudesOf(Vec<float> x) { return hn::BitCast(Tag<int32_t>(), hn::Abs(x)); }
/// What magnitudes of `least` or more are above.
HWY_INLINE Magnitudes Below(uint32_t least) { return hn::Set(Tag<int32_t>(), static_cast<int32_t>(least - 1)); }

/// Appends the positions of large elements in rows, without a branch: they come often enough to be guessed wrongly.
/// Their values are fetched at the end of a block, for which they still lie in the first-level cache.
class Collector {
 public:
  HWY_INLINE Collector(uint32_t least, const Candidates<float>& found)
      : below_(Below(least)), to_(found.positions), values_(found.values), begin_(found.count), count_(found.count) {}

  /// A block from `first` on, or the same one again.
  HWY_INLINE void Begin(size_t first) {
    count_ = begin_;
    positions_ = hn::Iota(Tag<uint32_t>(), static_cast<uint32_t>(first));
  }
  HWY_INLINE void See(const Row<float>& row) {
    for (size_t k = 0; k < Row<float>::kVectors; ++k) {
      const auto large = hn::RebindMask(Tag<uint32_t>(), hn::Gt(MagnitudesOf(row.v[k]), below_));
      count_ += StoreWhere(large, positions_, to_ + count_);
      positions_ = hn::Add(positions_, hn::Set(Tag<uint32_t>(), uint32_t{Row<float>::kLanes}));
    }
  }
  /// Behind a block that ends at `end`, without what filled up its last row. at(position): its value.
  template <typename At>
  HWY_INLINE void End(size_t end, At&& at) {
    while (count_ > begin_ && to_[count_ - 1] >= end) --count_;
    for (; begin_ < count_; ++begin_) values_[begin_] = at(to_[begin_]);
  }
  HWY_INLINE size_t count() const { return count_; }

 private:
  Magnitudes below_;
  Vec<uint32_t> positions_ = hn::Zero(Tag<uint32_t>());
  uint32_t* to_;
  float* values_;
  size_t begin_, count_;
};

/// Large ones are collected in a block's first sweep, which waits for the memory anyway.
template <bool kHasResidual>
HWY_INLINE bool CollectFrom(const Source<float>& source, uint32_t least, size_t limit, Candidates<float>& found) {
  const Fetching fetching = FetchingOf(kHasResidual, /*computes=*/false);
  bool all_finite = true;
  Collector collector(least, found);
  while (found.next < source.n && collector.count() <= limit) {
    const size_t first = found.next;
    const float* const left = source.left.empty() ? nullptr : source.left.data();
    Block<float, kHasResidual> block(source, first, fetching);
    Finite<float> finite;
    collector.Begin(first);
    block.ForRows([&](const Row<float>& row) GRADWIRE_INLINED {
      finite.See(row);
      collector.See(row);
    });
    if (!finite.all()) {
      all_finite = false;
      block.DropV();
      collector.Begin(first);
      block.ForRows([&](const Row<float>& row) HWY_ATTR { collector.See(row); });
    }
    found.next = first + block.n();
    if (left == nullptr) {
      collector.End(found.next, [&](size_t at) HWY_ATTR { return block.At(at - first); });
    } else {
      block.TakeRows([](size_t, size_t, const Row<float>&) HWY_ATTR {});
      collector.End(found.next, [&](size_t at) HWY_ATTR { return left[at]; });
    }
  }
  found.count = collector.count();
  return all_finite;
}

inline bool CollectLargeFloats(const Source<float>& source, uint32_t least, size_t limit, Candidates<float>& found) {
  return source.residual.empty() ? CollectFrom<false>(source, least, limit, found)
                                 : CollectFrom<true>(source, least, limit, found);
}

HWY_INLINE size_t CountFrom(std::span<const float> values, uint32_t least) {
  const auto below = Below(least);
  constexpr size_t kLanes = Row<float>::kLanes;
  size_t count = 0, i = 0;
  for (; i + kLanes <= values.size(); i += kLanes)
    count += hn::CountTrue(Tag<int32_t>(), hn::Gt(MagnitudesOf(hn::LoadU(Tag<float>(), &values[i])), below));
  for (; i < values.size(); ++i) count += size_t{MagnitudeBits(values[i]) >= least};
  return count;
}

inline Threshold<float> FindFloatThreshold(std::span<const float> values, size_t k, uint32_t least) {
  constexpr size_t kLanes = Row<float>::kLanes;
  auto most = hn::Zero(Tag<int32_t>());
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes)
    most = hn::Max(most, MagnitudesOf(hn::LoadU(Tag<float>(), &values[i])));
  auto largest = static_cast<uint32_t>(hn::GetLane(hn::MaxOfLanes(Tag<int32_t>(), most)));
  for (; i < values.size(); ++i) largest = std::max(largest, MagnitudeBits(values[i]));
  return scalar::Bisect<float>(least, largest, k, [&](uint32_t from) HWY_ATTR { return CountFrom(values, from); });
}

/// Of bits, at most `ties` of the lowest ones.
HWY_INLINE uint32_t FirstOf(uint32_t bits, size_t& ties) {
  uint32_t first = 0;
  for (; bits != 0 && ties > 0; bits &= bits - 1, --ties) first |= bits & -bits;
  return first;
}

inline void KeepLargestFloats(Threshold<float> threshold, Candidates<float>& found) {
  const Tag<float> d;
  const auto magnitude = hn::Set(Tag<int32_t>(), static_cast<int32_t>(threshold.magnitude));
  constexpr size_t kLanes = Row<float>::kLanes;
  size_t kept = 0;
  for (size_t j = 0; j < found.count; j += kLanes) {
    const auto values = hn::LoadU(d, found.values + j);
    const auto positions = hn::LoadU(Tag<uint32_t>(), found.positions + j);
    const uint32_t there = found.count - j < kLanes ? (uint32_t{1} << (found.count - j)) - 1 : ~uint32_t{0};
    const auto of_values = MagnitudesOf(values);
    uint32_t keep = BitsOf<float>(hn::RebindMask(d, hn::Gt(of_values, magnitude)), 0) & there;
    if (threshold.ties > 0)
      keep |= FirstOf(BitsOf<float>(hn::RebindMask(d, hn::Eq(of_values, magnitude)), 0) & there, threshold.ties);
    StoreWhere(MaskOf<float>(keep, 0), values, found.values + kept);
    kept += StoreWhere(MaskOf<uint32_t>(keep, 0), positions, found.positions + kept);
  }
  found.count = kept;
}

constexpr void PutTopK(Table<float>& table) {
  table.CollectLarge = CollectLargeFloats;
  table.FindThreshold = FindFloatThreshold;
  table.KeepLargest = KeepLargestFloats;
}
constexpr void PutTopK(Table<double>&) {}

}  // namespace gradwire::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
