// SPDX-License-Identifier: Apache-2.0
#include "message/robust.h"

#include <algorithm>
#include <cmath>

#include "kernels/kernels.h"

namespace gradwire::robust {
namespace {

/// A NaN is the largest of all, so that one sender's cannot undo the order of the others.
template <typename T>
bool Less(T a, T b) {
  return a < b || (std::isnan(b) && !std::isnan(a));
}

/// Half of the sum of two numbers, exact where they are alike.
template <typename T>
T Halfway(T a, T b) {
  return a == b ? a : a / 2 + b / 2;
}

template <typename T>
T MiddleOf(std::span<const T> sorted) {
  const size_t n = sorted.size();
  return n % 2 == 1 ? sorted[n / 2] : Halfway(sorted[n / 2 - 1], sorted[n / 2]);
}

/// Within their range, which rounding or an overflow of the sum could leave.
template <typename T>
T MeanOf(std::span<const T> values) {
  T sum = 0, least = values[0], most = values[0];
  for (const T value : values) {
    sum += value;
    least = std::min(least, value, Less<T>), most = std::max(most, value, Less<T>);
  }
  return std::clamp(sum / static_cast<T>(values.size()), least, most);
}

/// out[j] = of(the j-th values of `count` vectors, sorted).
template <typename T, typename Of>
void OfSorted(const Decoded<T>& decoded, size_t count, const Of& of, std::span<T> out) {
  const Scratch::Scope scope(decoded.scratch);
  const std::span<T> column = decoded.scratch.template Take<T>(count);
  for (size_t j = 0; j < out.size(); ++j) {
    for (size_t i = 0; i < count; ++i) column[i] = decoded.vectors[i * out.size() + j];
    std::ranges::sort(column, Less<T>);
    out[j] = of(std::span<const T>(column));
  }
}

/// What a vector's difference is multiplied by to be no longer than `most`; 0 where it has no length.
template <typename T>
T ShareWithin(double most, double norm) {
  if (!std::isfinite(norm)) return 0;
  return norm <= most ? T{1} : static_cast<T>(most / norm);
}

/// sum += share x; a share of 0 leaves out what is no number.
template <typename T>
void AddShare(T share, std::span<const T> x, std::span<T> sum) {
  if (share == 0) return;
  for (size_t j = 0; j < x.size(); ++j) sum[j] += share * x[j];
}

}  // namespace

template <typename T>
void TrimmedMean(const Decoded<T>& decoded, size_t cut, std::span<T> out) {
  const auto kept = [cut](std::span<const T> sorted) { return MeanOf(sorted.subspan(cut, sorted.size() - 2 * cut)); };
  OfSorted(decoded, decoded.senders, kept, out);
}

template <typename T>
void Median(const Decoded<T>& decoded, std::span<T> out) {
  OfSorted(decoded, decoded.senders, MiddleOf<T>, out);
}

template <typename T>
void MedianOfBuckets(const Decoded<T>& decoded, size_t size, std::span<T> out) {
  const Scratch::Scope scope(decoded.scratch);
  const size_t n = decoded.senders, buckets = (n + size - 1) / size;
  const std::span<T> values = decoded.scratch.template Take<T>(std::min(size, n)),
                     means = decoded.scratch.template Take<T>(buckets);
  for (size_t j = 0; j < out.size(); ++j) {
    for (size_t b = 0; b < buckets; ++b) {
      const size_t begin = b * size, count = std::min(size, n - begin);
      for (size_t i = 0; i < count; ++i) values[i] = decoded.vectors[decoded.order[begin + i] * out.size() + j];
      means[b] = MeanOf<T>(values.first(count));
    }
    std::ranges::sort(means, Less<T>);
    out[j] = MiddleOf<T>(means);
  }
}

template <typename T>
void CentredClip(const Decoded<T>& decoded, double tau, size_t steps, std::span<T> out) {
  const Scratch::Scope scope(decoded.scratch);
  const std::span<T> centre = decoded.centre, difference = decoded.scratch.template Take<T>(out.size());
  const T mean = T{1} / static_cast<T>(decoded.senders);
  for (size_t step = 0; step < steps; ++step) {
    std::ranges::fill(out, T{0});
    for (size_t i = 0; i < decoded.senders; ++i) {
      kernels::Subtract<T>(decoded.Of(i), centre, difference);
      const double norm = std::sqrt(kernels::SumOfSquares<T>(difference, 1));
      AddShare<T>(mean * ShareWithin<T>(tau, norm), difference, out);
    }
    kernels::Add<T>(out, centre);
  }
  std::ranges::copy(centre, out.begin());
}

template <typename T>
void NormCap(const Decoded<T>& decoded, std::span<T> out) {
  const Scratch::Scope scope(decoded.scratch);
  const size_t n = decoded.senders;
  const std::span<double> norms = decoded.scratch.template Take<double>(n),
                          sorted = decoded.scratch.template Take<double>(n);
  for (size_t i = 0; i < n; ++i) norms[i] = std::sqrt(kernels::SumOfSquares<T>(decoded.Of(i), 1));
  std::ranges::copy(norms, sorted.begin());
  std::ranges::sort(sorted, Less<double>);
  const double cap = MiddleOf<double>(sorted);
  std::ranges::fill(out, T{0});
  for (size_t i = 0; i < n; ++i) AddShare<T>(ShareWithin<T>(cap, norms[i]) / static_cast<T>(n), decoded.Of(i), out);
}

#define GRADWIRE_INSTANTIATE(T)                                               \
  template void TrimmedMean(const Decoded<T>&, size_t, std::span<T>);         \
  template void Median(const Decoded<T>&, std::span<T>);                      \
  template void MedianOfBuckets(const Decoded<T>&, size_t, std::span<T>);     \
  template void CentredClip(const Decoded<T>&, double, size_t, std::span<T>); \
  template void NormCap(const Decoded<T>&, std::span<T>);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire::robust
