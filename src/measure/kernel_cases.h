// SPDX-License-Identifier: Apache-2.0
#pragma once

// How each kernel of src/kernels/kernels.inc is called, for those who compare instruction sets: the tests, and
// `gradwire bench kernels` before it times anything.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

#include "base/draws.h"
#include "kernels/kernels.h"

namespace gradwire::testing {

/// Memory for one call: vectors of n elements that begin `offset` elements behind an aligned place, and as many bytes,
/// which begin at an odd one. Everything that a kernel writes is in it, so two calls did the same if their memory is.
template <typename T>
class Operands {
 public:
  using Word = typename kernels::Bits<T>::Word;

  Operands(std::span<const T> values, size_t offset)
      : n_(values.size()),
        offset_(offset),
        vectors_(3 * stride()),
        words_(n_),
        positions_(n_),
        bytes_(n_ * sizeof(T) + 64) {
    for (size_t i = 0; i < n_; ++i) {
      u()[i] = values[i];
      v()[i] = values[n_ - 1 - i];
      w()[i] = values[(i + n_ / 3) % n_];
      largest_ = std::max(largest_, std::abs(values[i]));
    }
    if (n_ > 0) std::memcpy(bytes().data(), values.data(), values.size_bytes());
  }

  size_t n() const { return n_; }
  std::span<T> u() { return Vector(0); }
  std::span<T> v() { return Vector(1); }
  std::span<T> w() { return Vector(2); }
  std::span<const T> cu() { return u(); }
  std::span<const T> cv() { return v(); }
  std::span<Word> words() { return words_; }
  uint32_t* positions() { return positions_.data(); }
  /// The values of u at first.
  std::span<std::byte> bytes() { return std::span(bytes_).subspan(1, n_ * sizeof(T)); }
  uint8_t* octets() { return reinterpret_cast<uint8_t*>(bytes().data()); }
  /// The largest |u| at first.
  T largest() const { return largest_; }
  /// Of scales of blocks, in front of bits.
  size_t scale_bytes() const { return (n_ + kernels::kBlock - 1) / kernels::kBlock * sizeof(T); }
  /// Keeps what a kernel returned.
  template <typename R>
  void Keep(const R& result) {
    const auto* begin = reinterpret_cast<const std::byte*>(&result);
    results_.insert(results_.end(), begin, begin + sizeof(R));
  }

  bool operator==(const Operands& other) const {
    const auto same = [](const auto& a, const auto& b) {
      return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(a[0])) == 0);
    };
    return same(vectors_, other.vectors_) && same(words_, other.words_) && same(positions_, other.positions_) &&
           same(bytes_, other.bytes_) && same(results_, other.results_);
  }

 private:
  size_t stride() const { return n_ + offset_ + 8; }
  std::span<T> Vector(size_t i) { return std::span(vectors_).subspan(i * stride() + offset_, n_); }

  size_t n_, offset_;
  std::vector<T> vectors_;
  std::vector<Word> words_;
  std::vector<uint32_t> positions_;
  std::vector<std::byte> bytes_;
  std::vector<std::byte> results_;
  T largest_ = 0;
};

template <typename T>
struct KernelCase {
  std::string_view name;
  std::function<void(const kernels::Table<T>&, Operands<T>&)> call;
  size_t least = 0;                                     ///< elements that it needs
  std::function<void(Operands<T>&)> prepare = nullptr;  ///< before the call, where there is something to do

  void Prepare(Operands<T>& operands) const {
    if (prepare) prepare(operands);
  }
};

/// For kernels that take blocks of 1,024: call(first, n) of each.
template <typename T, typename Call>
void EachBlock(Operands<T>& o, Call&& call) {
  for (size_t first = 0; first < o.n(); first += 1024) call(first, std::min<size_t>(1024, o.n() - first));
}

inline constexpr Draws kDraws = {{1, 2}, {3, 4, 5}};

/// v / 3 + residual; what is left goes where the residual is, or to w.
template <typename T>
kernels::Source<T> SourceOf(Operands<T>& o, std::span<const T> v, std::span<T> residual) {
  return {o.n(), v, T(1) / 3, residual, residual.empty() ? o.w() : residual};
}

/// Cases of an encoder that takes a whole source, encode(table, source, payload), and of its sum, sum(table, all, into,
/// out), which reads what the specification wrote.
template <typename T, typename Encode, typename Sum>
void AddFused(std::vector<KernelCase<T>>& cases, std::string_view encoder, std::string_view decoder, Encode encode,
              Sum sum) {
  using Table = kernels::Table<T>;
  using With = Operands<T>;
  const auto payload = [=](With& o) {
    const std::vector<T> values(o.u().begin(), o.u().end());
    encode(kernels::Isas().back()->table<T>(), kernels::Source<T>{o.n(), values, T{1}, {}, {}}, o.bytes().data());
  };
  const auto coded = [](With& o, T weight) { return kernels::Coded<T>{o.bytes().data(), weight}; };
  cases.push_back(
      {encoder, [=](const Table& t, With& o) { o.Keep(encode(t, SourceOf<T>(o, o.cu(), o.v()), o.bytes().data())); }});
  cases.push_back({encoder, [=](const Table& t, With& o) {
                     o.Keep(encode(t, kernels::Source<T>{o.n(), o.cu(), T(1) / 3, {}, {}}, o.bytes().data()));
                   }});
  cases.push_back({decoder,
                   [=](const Table& t, With& o) {
                     const auto one = coded(o, T(1) / 3), other = coded(o, T(-0.5));
                     o.Keep(sum(t, std::array{one, other, one}, Into::kAdd, o.u()));
                     o.Keep(sum(t, std::vector<kernels::Coded<T>>(70, other), Into::kWrite, o.v()));
                     o.Keep(sum(t, std::array{other}, Into::kStream, o.w()));
                     o.Keep(sum(t, std::span<const kernels::Coded<T>>(), Into::kWrite, o.u()));
                   },
                   0, payload});
}

/// What is wrong in the second of two payloads is found; the sum then means nothing.
template <typename T, typename Sum>
KernelCase<T> WrongCode(std::string_view decoder, Sum sum) {
  return {decoder, [=](const kernels::Table<T>& t, Operands<T>& o) {
            const std::vector<std::byte> zeros(o.bytes().size() + 64), wrong(zeros.size(), std::byte{0x7f});
            const std::array all = {kernels::Coded<T>{zeros.data(), T{1}}, kernels::Coded<T>{wrong.data(), T{1}}};
            o.Keep(sum(t, all, Into::kWrite, o.u()));
            std::fill(o.u().begin(), o.u().end(), T{0});
          }};
}

template <typename T>
void AddDithered(std::vector<KernelCase<T>>& cases, const kernels::Dithering& how) {
  using Table = kernels::Table<T>;
  AddFused<T>(
      cases, "EncodeDithered", "SumDithered",
      [=](const Table& t, const kernels::Source<T>& source, std::byte* payload) {
        return t.EncodeDithered(source, how, kDraws, payload);
      },
      [=](const Table& t, std::span<const kernels::Coded<T>> all, Into into, std::span<T> out) {
        return t.SumDithered(all, how, into, out);
      });
}

/// Kernels that round, to 16 bits or at random.
template <typename T>
std::vector<KernelCase<T>> RoundingCases() {
  using Table = kernels::Table<T>;
  using With = Operands<T>;
  using From = kernels::Source<T>;
  using All = std::span<const kernels::Coded<T>>;
  using kernels::Norm;
  std::vector<KernelCase<T>> cases;
  for (const uint32_t count : {1, 3, 7, 12, 127, 300}) AddDithered<T>(cases, {.norm = Norm::kL2, .count = count});
  AddDithered<T>(cases, {.norm = Norm::kL1, .count = 7});
  AddDithered<T>(cases, {.norm = Norm::kMax, .count = 127});
  AddDithered<T>(cases, {.norm = Norm::kMax, .count = 1, .clip = true});
  for (const uint32_t count : {1, 7, 70}) AddDithered<T>(cases, {.norm = Norm::kL2, .count = count, .powers = true});
  AddDithered<T>(cases, {.norm = Norm::kMax, .count = 7, .powers = true});
  AddFused<T>(
      cases, "EncodeNatural", "SumNatural",
      [](const Table& t, const From& source, std::byte* payload) { return t.EncodeNatural(source, kDraws, payload); },
      [](const Table& t, All all, Into into, std::span<T> out) { return t.SumNatural(all, into, out); });
  AddFused<T>(
      cases, "EncodeHalves", "SumHalves",
      [](const Table& t, const From& source, std::byte* payload) { return t.EncodeHalves(source, payload); },
      [](const Table& t, All all, Into into, std::span<T> out) { return t.SumHalves(all, into, out); });
  AddFused<T>(
      cases, "EncodeBfloats", "SumBfloats",
      [](const Table& t, const From& source, std::byte* payload) { return t.EncodeBfloats(source, payload); },
      [](const Table& t, All all, Into into, std::span<T> out) { return t.SumBfloats(all, into, out); });
  cases.push_back(WrongCode<T>("SumDithered", [](const Table& t, All all, Into into, std::span<T> out) {
    return t.SumDithered(all, {.norm = Norm::kL2, .count = 7}, into, out);
  }));
  for (const bool unit : {false, true}) {
    cases.push_back({"EncodeTossed", [=](const Table& t, With& o) {
                       o.Keep(t.EncodeTossed(SourceOf<T>(o, o.cu(), o.v()), unit, kDraws, o.bytes().data(),
                                             o.octets() + o.scale_bytes()));
                     }});
    cases.push_back({"EncodeTossed", [=](const Table& t, With& o) {
                       const From source = {o.n(), o.cu(), T(1) / 3, {}, {}};
                       o.Keep(t.EncodeTossed(source, unit, kDraws, o.bytes().data(), o.octets() + o.scale_bytes()));
                     }});
  }
  cases.push_back({"DrawWords", [](const Table& t, With& o) {
                     EachBlock(o, [&](size_t at, size_t n) { t.DrawWords(kDraws, at, o.words().subspan(at, n)); });
                   }});
  return cases;
}

/// Candidates of a source, with room for all of its elements.
template <typename T>
class Finding {
 public:
  explicit Finding(Operands<T>& o)
      : o_(o), values_(o.n() + kernels::Candidates<T>::kSpare), positions_(values_.size()) {
    found.values = values_.data(), found.positions = positions_.data();
  }
  /// Keeps what was found: behind it kernels may leave what they want.
  void Keep() {
    o_.Keep(found.next);
    for (size_t j = 0; j < found.count; ++j) o_.Keep(values_[j]), o_.Keep(positions_[j]);
  }
  void Collect(const kernels::Table<T>& t, const kernels::Source<T>& source, T least, size_t limit) {
    while (found.next < source.n) {
      o_.Keep(t.CollectLarge(source, kernels::MagnitudeBits(least), limit, found));
      limit += found.count;
    }
  }
  kernels::Candidates<T> found = {};

 private:
  Operands<T>& o_;
  std::vector<T> values_;
  std::vector<uint32_t> positions_;
};

/// Kernels that find the largest elements.
template <typename T>
std::vector<KernelCase<T>> LargestCases() {
  using Table = kernels::Table<T>;
  using With = Operands<T>;
  const auto collect = [](With& o, const Table& t, std::span<T> residual, T least, size_t limit) {
    Finding<T> finding(o);
    finding.Collect(t, SourceOf(o, o.cu(), residual), least, limit);
    finding.Keep();
  };
  const auto keep = [](const Table& t, With& o, size_t k, T least) {
    Finding<T> finding(o);
    t.CollectLarge({o.n(), o.cu(), 1, {}, o.v()}, kernels::MagnitudeBits(least), o.n(), finding.found);
    k = std::min(k, finding.found.count);
    if (k == 0) return;
    const std::span<const T> values(finding.found.values, finding.found.count);
    const auto threshold = t.FindThreshold(values, k, kernels::MagnitudeBits(least));
    o.Keep(threshold.magnitude), o.Keep(threshold.ties);
    t.KeepLargest(threshold, finding.found);
    finding.Keep();
    t.KeepLargest({kernels::MagnitudeBits(values[0]), 2}, finding.found);
    finding.Keep();
  };
  const auto sum = [](const Table& t, With& o, size_t payloads, Into into) {
    std::vector<uint32_t> positions;
    for (uint32_t i = 0; i < o.n(); i += 1 + i % 7) positions.push_back(i);
    const kernels::Kept<T> kept = {positions.data(), o.bytes().data(), positions.size(), T(1.5), T(1) / 3};
    t.SumKept(std::vector<kernels::Kept<T>>(payloads, kept), into, o.v());
  };
  const auto ones = [](const Table& t, With& o, size_t begin, size_t end, size_t most) {
    std::vector<uint32_t> found(most + 8);
    const size_t count = t.ReadOnes(o.bytes(), begin, end, most, found.data());
    o.Keep(count);
    if (count <= most)
      for (size_t j = 0; j < count; ++j) o.Keep(found[j]);
  };
  const auto low = [](const Table& t, With& o, unsigned width) {
    const size_t k = width == 0 ? o.n() : std::min(o.n(), 8 * o.bytes().size() / width);
    std::iota(o.positions(), o.positions() + k, uint32_t{7});
    t.ReadLowBits(o.bytes(), width, {o.positions(), k});
  };
  return {
      {"CollectLarge", [=](const Table& t, With& o) { collect(o, t, o.v(), 0, 100); }},
      {"CollectLarge", [=](const Table& t, With& o) { collect(o, t, o.v(), o.largest() / 3, 10); }},
      {"CollectLarge", [=](const Table& t, With& o) { collect(o, t, {}, o.largest() / 9, o.n()); }},
      {"FindThreshold", [=](const Table& t, With& o) { keep(t, o, 1, 0); }},
      {"KeepLargest", [=](const Table& t, With& o) { keep(t, o, (o.n() + 9) / 10, 0); }},
      {"KeepLargest", [=](const Table& t, With& o) { keep(t, o, o.n() / 2, o.largest() / 5); }},
      {"SumKept", [=](const Table& t, With& o) { sum(t, o, 3, Into::kAdd); }},
      {"SumKept", [=](const Table& t, With& o) { sum(t, o, 2, Into::kWrite); }},
      {"SumKept", [=](const Table& t, With& o) { sum(t, o, 70, Into::kStream); }},
      {"ReadOnes", [=](const Table& t, With& o) { ones(t, o, 3, 8 * o.bytes().size() / 2, 8 * o.n()); }, 8},
      {"ReadOnes", [=](const Table& t, With& o) { ones(t, o, 70, 8 * o.bytes().size() - 1, 100); }, 40},
      {"ReadLowBits", [=](const Table& t, With& o) { low(t, o, 6); }},
      {"ReadLowBits", [=](const Table& t, With& o) { low(t, o, 0); }},
      {"ReadLowBits", [=](const Table& t, With& o) { low(t, o, 16), low(t, o, 11); }},
      {"ReadLowBits", [=](const Table& t, With& o) { low(t, o, 31); }},
      {"DrawStrata", [](const Table& t, With& o) { t.DrawStrata(kDraws, o.n(), (o.n() + 6) / 7, o.positions()); }, 1},
      {"DrawStrata", [](const Table& t, With& o) { t.DrawStrata(kDraws, 4000000000, o.n(), o.positions()); }, 1},
  };
}

/// A case for each kernel; some have more.
template <typename T>
std::vector<KernelCase<T>> KernelCases() {
  using Table = kernels::Table<T>;
  using With = Operands<T>;
  constexpr T kThird = T(1) / 3;
  std::vector<KernelCase<T>> cases = {
      {"AddChecked", [](const Table& t, With& o) { o.Keep(t.AddChecked(SourceOf(o, o.cu(), o.v()))); }},
      {"AddChecked", [](const Table& t, With& o) { o.Keep(t.AddChecked(SourceOf(o, o.cu(), {}))); }},
      {"AddChecked", [](const Table& t, With& o) { o.Keep(t.AddChecked(SourceOf(o, {}, o.v()))); }},
      {"StreamTo", [](const Table& t, With& o) { t.StreamTo(o.cu(), o.v()); }},
      {"Subtract", [](const Table& t, With& o) { t.Subtract(o.u(), o.v(), o.w()); }},
      {"Add", [](const Table& t, With& o) { t.Add(o.u(), o.v()); }},
      {"AddValues", [=](const Table& t, With& o) { t.AddValues(o.bytes().data(), T(1.5), kThird, o.v()); }},
      {"Scale", [=](const Table& t, With& o) { t.Scale(kThird, o.u()); }},
      {"AllFinite", [](const Table& t, With& o) { o.Keep(t.AllFinite(o.u())); }},
      {"AnyNonZero", [](const Table& t, With& o) { o.Keep(t.AnyNonZero(o.u())); }},
      {"MoveShift", [=](const Table& t, With& o) { t.MoveShift(kThird, T(0.5), false, o.u(), o.v()); }},
      {"MoveShift", [=](const Table& t, With& o) { t.MoveShift(kThird, T(0.5), true, o.u(), o.v()); }},
      {"StepFrom", [=](const Table& t, With& o) { t.StepFrom(o.u(), kThird, o.v()); }},
      {"GradientOfStep", [=](const Table& t, With& o) { t.GradientOfStep(o.u(), kThird, o.v()); }},
      {"MaxMagnitude", [](const Table& t, With& o) { o.Keep(t.MaxMagnitude(o.u())); }},
      {"SumOfMagnitudes", [](const Table& t, With& o) { o.Keep(t.SumOfMagnitudes(o.u(), 0.25)); }},
      {"SumOfSquares", [](const Table& t, With& o) { o.Keep(t.SumOfSquares(o.u(), 0.25)); }},
      {"SquaredDistance", [](const Table& t, With& o) { o.Keep(t.SquaredDistance(o.u(), o.v())); }},
      {"MeanMagnitude", [](const Table& t, With& o) { o.Keep(t.MeanMagnitude(o.u())); }, 1},
      {"PackSigns", [](const Table& t, With& o) { t.PackSigns(o.u(), o.octets()); }},
      {"SubtractSigns", [=](const Table& t, With& o) { t.SubtractSigns(o.u(), kThird); }},
      {"EncodeSigns",
       [](const Table& t, With& o) {
         o.Keep(t.EncodeSigns(SourceOf(o, o.cu(), o.v()), o.bytes().data(), o.octets() + o.scale_bytes()));
       }},
      {"EncodeSigns",
       [](const Table& t, With& o) {
         o.Keep(t.EncodeSigns(SourceOf(o, o.cu(), {}), o.bytes().data(), o.octets() + o.scale_bytes()));
       }},
      {"SumSigns",
       [=](const Table& t, With& o) {
         const std::byte* scales = reinterpret_cast<const std::byte*>(o.w().data());
         const kernels::Signs<T> one = {scales, true, o.octets(), kThird},
                                 other = {scales, false, o.octets() + o.n() / 8, T(-0.5)};
         t.SumSigns(std::array{one, other, one}, Into::kAdd, o.u());
         t.SumSigns(std::vector<kernels::Signs<T>>(70, other), Into::kWrite, o.v());
         t.SumSigns({}, Into::kWrite, o.w());
       },
       1},
      {"SumSigns",
       [=](const Table& t, With& o) {
         const kernels::Signs<T> signs = {reinterpret_cast<const std::byte*>(o.w().data()), false, o.octets(), kThird};
         t.SumSigns(std::array{signs, signs}, Into::kStream, o.u());
       },
       1},
  };
  for (const auto& more : {RoundingCases<T>(), LargestCases<T>()}) cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

}  // namespace gradwire::testing
