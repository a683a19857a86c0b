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

#include "compress/dither.h"
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
        bytes_(n_ * sizeof(T) + 64),
        codes_(n_) {
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
  /// Makes of them codes of 16 bits that are finite numbers in either format.
  void MakeFiniteCodes() {
    for (size_t i = 0; i < n_; ++i) bytes()[2 * i + 1] &= std::byte{0xbb};
  }
  /// The largest |u| at first.
  T largest() const { return largest_; }
  /// Of scales of blocks, in front of bits.
  size_t scale_bytes() const { return (n_ + kernels::kBlock - 1) / kernels::kBlock * sizeof(T); }
  /// As many codes, of 0 at first.
  uint16_t* codes() { return codes_.data(); }
  void MakeCodes(uint32_t below) {
    for (size_t i = 0; i < n_; ++i) codes_[i] = static_cast<uint16_t>(octets()[i] * 131u % below);
  }
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
           same(bytes_, other.bytes_) && same(codes_, other.codes_) && same(results_, other.results_);
  }

 private:
  size_t stride() const { return n_ + offset_ + 8; }
  std::span<T> Vector(size_t i) { return std::span(vectors_).subspan(i * stride() + offset_, n_); }

  size_t n_, offset_;
  std::vector<T> vectors_;
  std::vector<Word> words_;
  std::vector<uint32_t> positions_;
  std::vector<std::byte> bytes_;
  std::vector<uint16_t> codes_;
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

/// The exponent that brings the largest magnitude to [2^(top - 1), 2^top).
template <typename T>
int ExponentFor(Operands<T>& o, int top) {
  int exponent = 0;
  std::frexp(o.largest(), &exponent);
  return o.largest() == 0 ? 0 : top - exponent;
}

/// Of the largest magnitude as the norm.
template <typename T, typename Shape>
kernels::Levels<T> LevelsFor(Operands<T>& o, Shape shape) {
  return shape.Of(o.largest());
}

/// For kernels that take blocks of 1,024: call(first, n) of each.
template <typename T, typename Call>
void EachBlock(Operands<T>& o, Call&& call) {
  for (size_t first = 0; first < o.n(); first += 1024) call(first, std::min<size_t>(1024, o.n() - first));
}

inline constexpr Draws kDraws = {{1, 2}, {3, 4, 5}};

/// Kernels that round at random.
template <typename T>
std::vector<KernelCase<T>> RoundingCases() {
  using Table = kernels::Table<T>;
  using With = Operands<T>;
  constexpr T kThird = T(1) / 3;
  const auto codes_below = [](uint32_t below) { return [below](With& o) { o.MakeCodes(below); }; };
  return {
      {"Dither",
       [](const Table& t, With& o) {
         const auto levels = LevelsFor(o, UniformLevels{7});
         EachBlock(o, [&](size_t at, size_t n) { t.Dither(kDraws, at, levels, o.u().subspan(at, n), o.codes() + at); });
       }},
      {"DitherToPowers",
       [](const Table& t, With& o) {
         const auto levels = LevelsFor(o, BinaryLevels{7});
         EachBlock(o, [&](size_t at, size_t n) {
           t.DitherToPowers(kDraws, at, levels, o.u().subspan(at, n), o.codes() + at);
         });
       }},
      {"AddLevels",
       [=](const Table& t, With& o) { t.AddLevels(o.codes(), LevelsFor(o, UniformLevels{127}), kThird, o.v()); }, 0,
       codes_below(255)},
      {"AddBinaryLevels",
       [=](const Table& t, With& o) { t.AddBinaryLevels(o.codes(), LevelsFor(o, BinaryLevels{7}), kThird, o.v()); }, 0,
       codes_below(15)},
      {"TossSigns",
       [=](const Table& t, With& o) {
         const auto levels = LevelsFor(o, BinaryLevels{1});
         EachBlock(o, [&](size_t at, size_t n) {
           t.TossSigns(kDraws, at, levels, kThird, o.u().subspan(at, n), o.octets() + at / 8);
         });
       }},
      {"RoundToPowers",
       [](const Table& t, With& o) {
         EachBlock(o, [&](size_t at, size_t n) { t.RoundToPowers(kDraws, at, o.u().subspan(at, n), o.codes() + at); });
       }},
      {"AddPowers", [=](const Table& t, With& o) { t.AddPowers(o.codes(), kThird, o.u()); }, 0, codes_below(255)},
      {"DrawWords",
       [](const Table& t, With& o) {
         EachBlock(o, [&](size_t at, size_t n) { t.DrawWords(kDraws, at, o.words().subspan(at, n)); });
       }},
      {"PackBits", [](const Table& t, With& o) { t.PackBits(o.codes(), o.n(), 8, 0, o.bytes().data()); }, 0,
       codes_below(255)},
      {"PackBits", [](const Table& t, With& o) { t.PackBits(o.codes(), o.n(), 4, 0, o.bytes().data()); }, 0,
       codes_below(15)},
      {"PackBits", [](const Table& t, With& o) { t.PackBits(o.codes(), o.n(), 2, 4, o.bytes().data()); }, 0,
       codes_below(63)},
      {"PackBits", [](const Table& t, With& o) { t.PackBits(o.codes(), o.n(), 1, 8, o.bytes().data()); }, 0,
       codes_below(511)},
      {"UnpackBits", [](const Table& t, With& o) { t.UnpackBits(o.bytes().data(), o.n(), 8, 0, o.codes()); }},
      {"UnpackBits", [](const Table& t, With& o) { t.UnpackBits(o.bytes().data(), o.n(), 4, 0, o.codes()); }},
      {"UnpackBits", [](const Table& t, With& o) { t.UnpackBits(o.bytes().data(), o.n(), 2, 0, o.codes()); }},
      {"UnpackBits", [](const Table& t, With& o) { t.UnpackBits(o.bytes().data(), o.n(), 4, 8, o.codes()); }, 0,
       codes_below(255)},
      {"PackTernary", [](const Table& t, With& o) { t.PackTernary(o.codes(), o.n(), o.bytes().data()); }, 0,
       codes_below(3)},
      {"UnpackTernary", [](const Table& t, With& o) { t.UnpackTernary(o.bytes().data(), o.n(), o.codes()); }},
      {"LargestCode", [](const Table& t, With& o) { o.Keep(t.LargestCode(o.codes(), o.n())); }, 0, codes_below(32767)},
  };
}

/// v / 3 + residual; what is left goes where the residual is, or to w.
template <typename T>
kernels::Source<T> SourceOf(Operands<T>& o, std::span<const T> v, std::span<T> residual) {
  return {o.n(), v, T(1) / 3, residual, residual.empty() ? o.w() : residual};
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
  const auto finite = [](With& o) { o.MakeFiniteCodes(); };
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
      {"NormOf", [](const Table& t, With& o) { o.Keep(t.NormOf(o.u(), kernels::Norm::kL2)); }},
      {"NormOf", [](const Table& t, With& o) { o.Keep(t.NormOf(o.u(), kernels::Norm::kL1)); }},
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
      {"CastToHalf", [](const Table& t, With& o) { t.CastToHalf(o.u(), ExponentFor(o, 15), o.bytes().data()); }},
      {"CastToBfloat", [](const Table& t, With& o) { t.CastToBfloat(o.u(), ExponentFor(o, 1), o.bytes().data()); }},
      {"AddHalves", [=](const Table& t, With& o) { t.AddHalves(o.bytes().data(), 3, kThird, o.u()); }, 0, finite},
      {"AddHalves", [=](const Table& t, With& o) { t.AddHalves(o.bytes().data(), 130, kThird, o.u()); }, 0, finite},
      {"AddBfloats", [=](const Table& t, With& o) { t.AddBfloats(o.bytes().data(), 3, kThird, o.u()); }, 0, finite},
      {"AnyCodeHas", [](const Table& t, With& o) { o.Keep(t.AnyCodeHas(o.bytes().data(), o.n(), 0x7c00)); }},
      {"AnyCodeHas", [](const Table& t, With& o) { o.Keep(t.AnyCodeHas(o.bytes().data(), o.n(), 0x7c00)); }, 0, finite},
  };
  for (const auto& more : {RoundingCases<T>(), LargestCases<T>()}) cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

}  // namespace gradwire::testing
