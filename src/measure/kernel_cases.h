// SPDX-License-Identifier: Apache-2.0
#pragma once

// How each kernel of src/kernels/kernels.inc is called, for those who compare instruction sets: the tests, and
// `gradwire bench kernels` before it times anything.

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

#include "base/draws.h"
#include "kernels/codes.h"
#include "kernels/kernels.h"
#include "measure/operands.h"

namespace gradwire::testing {

template <typename T>
struct KernelCase {
  std::string_view name;
  std::function<void(const kernels::Table<T>&, Operands<T>&)> call;
  size_t least = 0;                                     ///< elements that it needs
  std::function<size_t(size_t)> bytes = nullptr;        ///< that it takes of n elements; null: as many as they have
  std::function<void(Operands<T>&)> prepare = nullptr;  ///< before the call, where there is something to do

  /// What it is called with.
  Operands<T> Prepared(std::span<const T> values, size_t offset) const {
    Operands<T> operands(values, offset, bytes ? bytes(values.size()) : values.size_bytes());
    if (prepare) prepare(operands);
    return operands;
  }
};

/// Bytes of a number for each block of n elements.
template <typename Number>
size_t BytesOfBlocks(size_t n) {
  return (n + kernels::kBlock - 1) / kernels::kBlock * sizeof(Number);
}
/// Bytes of n fields of `width` bits.
constexpr size_t BytesOfBits(size_t n, size_t width = 1) { return (n * width + 7) / 8; }

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
/// out), which reads what the specification wrote; payloads of n elements have bytes(n).
template <typename T, typename Bytes, typename Encode, typename Sum>
void AddFused(std::vector<KernelCase<T>>& cases, std::string_view encoder, std::string_view decoder, Bytes bytes,
              Encode encode, Sum sum) {
  using Table = kernels::Table<T>;
  using With = Operands<T>;
  const auto payload = [=](With& o) {
    const std::vector<T> values(o.u().begin(), o.u().end());
    encode(kernels::Isas().back()->table<T>(), kernels::Source<T>{o.n(), values, T{1}, {}, {}}, o.bytes().data());
  };
  const auto coded = [](With& o, T weight) { return kernels::Coded<T>{o.bytes().data(), weight}; };
  cases.push_back({encoder,
                   [=](const Table& t, With& o) { o.Keep(encode(t, SourceOf<T>(o, o.cu(), o.v()), o.bytes().data())); },
                   0, bytes});
  cases.push_back({encoder,
                   [=](const Table& t, With& o) {
                     o.Keep(encode(t, kernels::Source<T>{o.n(), o.cu(), T(1) / 3, {}, {}}, o.bytes().data()));
                   },
                   0, bytes});
  cases.push_back({decoder,
                   [=](const Table& t, With& o) {
                     const auto one = coded(o, T(1) / 3), other = coded(o, T(-0.5));
                     o.Keep(sum(t, std::array{one, other, one}, Into::kAdd, o.u()));
                     o.Keep(sum(t, std::vector<kernels::Coded<T>>(70, other), Into::kWrite, o.v()));
                     o.Keep(sum(t, std::array{other}, Into::kStream, o.w()));
                     o.Keep(sum(t, std::span<const kernels::Coded<T>>(), Into::kWrite, o.u()));
                   },
                   0, bytes, payload});
}

/// What is wrong in the second of two payloads is found; the sum then means nothing.
template <typename T, typename Bytes, typename Sum>
KernelCase<T> WrongCode(std::string_view decoder, Bytes bytes, Sum sum) {
  return {decoder, [=](const kernels::Table<T>& t, Operands<T>& o) {
            const std::vector<std::byte> zeros(bytes(o.n())), wrong(zeros.size(), std::byte{0x7f});
            const std::array all = {kernels::Coded<T>{zeros.data(), T{1}}, kernels::Coded<T>{wrong.data(), T{1}}};
            o.Keep(sum(t, all, Into::kWrite, o.u()));
            std::fill(o.u().begin(), o.u().end(), T{0});
          }};
}

template <typename T>
size_t DitheredBytes(const kernels::Dithering& how, size_t n) {
  return how.norms(n) * sizeof(T) + kernels::CodeSpace(2 * how.count + 1).bytes(n);
}

template <typename T>
void AddDithered(std::vector<KernelCase<T>>& cases, const kernels::Dithering& how) {
  using Table = kernels::Table<T>;
  AddFused<T>(
      cases, "EncodeDithered", "SumDithered", [=](size_t n) { return DitheredBytes<T>(how, n); },
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
  for (const uint32_t count : {1, 3, 7, 12, 127, 300, 32767})
    AddDithered<T>(cases, {.norm = Norm::kL2, .count = count});
  AddDithered<T>(cases, {.norm = Norm::kL1, .count = 7});
  for (const uint32_t count : {127, 32767}) AddDithered<T>(cases, {.norm = Norm::kMax, .count = count});
  AddDithered<T>(cases, {.norm = Norm::kMax, .count = 1, .clip = true});
  AddDithered<T>(cases, {.norm = Norm::kMax, .count = 100, .clip = true});
  for (const uint32_t count : {1, 7, 70}) AddDithered<T>(cases, {.norm = Norm::kL2, .count = count, .powers = true});
  AddDithered<T>(cases, {.norm = Norm::kMax, .count = 7, .powers = true});
  AddDithered<T>(cases, {.norm = Norm::kMax, .count = 1, .block = 256});
  AddDithered<T>(cases, {.norm = Norm::kL2, .count = 7, .block = kernels::kLeastNorm});
  AddDithered<T>(cases, {.norm = Norm::kL1, .count = 7, .powers = true, .block = 512});
  AddFused<T>(
      cases, "EncodeNatural", "SumNatural",
      [](size_t n) { return kernels::CodeSpace(sizeof(T) == 4 ? 512 : 4096).bytes(n); },
      [](const Table& t, const From& source, std::byte* payload) { return t.EncodeNatural(source, kDraws, payload); },
      [](const Table& t, All all, Into into, std::span<T> out) { return t.SumNatural(all, into, out); });
  const auto casts = [](size_t n) { return BytesOfBlocks<int32_t>(n) + 2 * n; };
  AddFused<T>(
      cases, "EncodeHalves", "SumHalves", casts,
      [](const Table& t, const From& source, std::byte* payload) { return t.EncodeHalves(source, payload); },
      [](const Table& t, All all, Into into, std::span<T> out) { return t.SumHalves(all, into, out); });
  AddFused<T>(
      cases, "EncodeBfloats", "SumBfloats", casts,
      [](const Table& t, const From& source, std::byte* payload) { return t.EncodeBfloats(source, payload); },
      [](const Table& t, All all, Into into, std::span<T> out) { return t.SumBfloats(all, into, out); });
  const kernels::Dithering seven = {.norm = Norm::kL2, .count = 7};
  cases.push_back(WrongCode<T>(
      "SumDithered", [=](size_t n) { return DitheredBytes<T>(seven, n); },
      [=](const Table& t, All all, Into into, std::span<T> out) { return t.SumDithered(all, seven, into, out); }));
  const auto tossed = [](size_t n) { return BytesOfBlocks<T>(n) + BytesOfBits(n); };
  for (const bool unit : {false, true}) {
    const auto encode = [=](const Table& t, With& o, const From& source) {
      o.Keep(t.EncodeTossed(source, unit, kDraws, o.bytes().data(), o.octets() + BytesOfBlocks<T>(o.n())));
    };
    cases.push_back(
        {"EncodeTossed", [=](const Table& t, With& o) { encode(t, o, SourceOf<T>(o, o.cu(), o.v())); }, 0, tossed});
    cases.push_back({"EncodeTossed",
                     [=](const Table& t, With& o) {
                       encode(t, o, From{o.n(), o.cu(), T(1) / 3, {}, {}});
                     },
                     0, tossed});
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
  const auto kept_of = [](size_t n) {
    std::vector<uint32_t> positions;
    for (uint32_t i = 0; i < n; i += 1 + i % 7) positions.push_back(i);
    return positions;
  };
  const auto kept_bytes = [=](size_t n) { return kept_of(n).size() * sizeof(T); };
  const auto sum = [=](const Table& t, With& o, size_t payloads, Into into) {
    const std::vector<uint32_t> positions = kept_of(o.n());
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
  const auto low_case = [=](unsigned width) {  // whose bytes end with the last position's bits
    return KernelCase<T>{"ReadLowBits", [=](const Table& t, With& o) { low(t, o, width); }, 0,
                         [=](size_t n) { return BytesOfBits(n, width); }};
  };
  return {
      {"CollectLarge", [=](const Table& t, With& o) { collect(o, t, o.v(), 0, 100); }},
      {"CollectLarge", [=](const Table& t, With& o) { collect(o, t, o.v(), o.largest() / 3, 10); }},
      {"CollectLarge", [=](const Table& t, With& o) { collect(o, t, {}, o.largest() / 9, o.n()); }},
      {"FindThreshold", [=](const Table& t, With& o) { keep(t, o, 1, 0); }},
      {"KeepLargest", [=](const Table& t, With& o) { keep(t, o, (o.n() + 9) / 10, 0); }},
      {"KeepLargest", [=](const Table& t, With& o) { keep(t, o, o.n() / 2, o.largest() / 5); }},
      {"SumKept", [=](const Table& t, With& o) { sum(t, o, 3, Into::kAdd); }, 0, kept_bytes},
      {"SumKept", [=](const Table& t, With& o) { sum(t, o, 2, Into::kWrite); }, 0, kept_bytes},
      {"SumKept", [=](const Table& t, With& o) { sum(t, o, 70, Into::kStream); }, 0, kept_bytes},
      {"ReadOnes", [=](const Table& t, With& o) { ones(t, o, 3, 8 * o.bytes().size() / 2, 8 * o.n()); }, 8},
      {"ReadOnes", [=](const Table& t, With& o) { ones(t, o, 70, 8 * o.bytes().size() - 1, 100); }, 40},
      {"ReadLowBits", [=](const Table& t, With& o) { low(t, o, 6); }},
      {"ReadLowBits", [=](const Table& t, With& o) { low(t, o, 0); }},
      low_case(6),
      low_case(11),
      low_case(16),
      low_case(31),
      {"DrawStrata", [](const Table& t, With& o) { t.DrawStrata(kDraws, o.n(), (o.n() + 6) / 7, o.positions()); }, 1},
      {"DrawStrata", [](const Table& t, With& o) { t.DrawStrata(kDraws, 4000000000, o.n(), o.positions()); }, 1},
  };
}

/// Of matrices of so many rows: m is u, p is w, q is v.
template <typename T>
std::vector<KernelCase<T>> FactorCases() {
  using Table = kernels::Table<T>;
  using With = Operands<T>;
  std::vector<KernelCase<T>> cases;
  const auto add = [&](std::string_view name, size_t rows, size_t rank, auto call) {
    cases.push_back({name,
                     [=](const Table& t, With& o) {
                       const kernels::Factors<T> factors = {rows, o.n() / rows, rank, o.w().data(), o.v().data()};
                       call(t, factors, o.u().first(rows * factors.cols));
                     },
                     rows * rows});
  };
  for (const size_t rank : {1, 2, 3, 4, 5, 9})
    for (const size_t rows : {9, 30}) {
      add("ProjectRows", rows, rank, [](const Table& t, const kernels::Factors<T>& factors, std::span<T> m) {
        t.ProjectRows(m.subspan(2 * factors.cols), factors, 2);
      });
      add("TakeFactors", rows, rank,
          [](const Table& t, const auto& factors, std::span<T> m) { t.TakeFactors(factors, m); });
      add("ExpandFactors", rows, rank,
          [](const Table& t, const auto& factors, std::span<T> m) { t.ExpandFactors(factors, m); });
    }
  return cases;
}

/// A case for each kernel; some have more.
template <typename T>
std::vector<KernelCase<T>> KernelCases() {
  using Table = kernels::Table<T>;
  using With = Operands<T>;
  constexpr T kThird = T(1) / 3;
  const auto bits = [](size_t n) { return BytesOfBits(n); };
  const auto signs_bytes = [](size_t n) { return BytesOfBlocks<T>(n) + BytesOfBits(n); };
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
      {"PackSigns", [](const Table& t, With& o) { t.PackSigns(o.u(), o.octets()); }, 0, bits},
      {"SubtractSigns", [=](const Table& t, With& o) { t.SubtractSigns(o.u(), kThird); }},
      {"EncodeSigns",
       [](const Table& t, With& o) {
         o.Keep(t.EncodeSigns(SourceOf(o, o.cu(), o.v()), o.bytes().data(), o.octets() + BytesOfBlocks<T>(o.n())));
       },
       0, signs_bytes},
      {"EncodeSigns",
       [](const Table& t, With& o) {
         o.Keep(t.EncodeSigns(SourceOf(o, o.cu(), {}), o.bytes().data(), o.octets() + BytesOfBlocks<T>(o.n())));
       },
       0, signs_bytes},
      {"SumSigns",
       [=](const Table& t, With& o) {
         const std::byte* scales = reinterpret_cast<const std::byte*>(o.w().data());
         const kernels::Signs<T> one = {scales, true, o.octets(), kThird},
                                 other = {scales, false, o.octets() + o.n() / 8, T(-0.5)};
         t.SumSigns(std::array{one, other, one}, Into::kAdd, o.u());
         t.SumSigns(std::vector<kernels::Signs<T>>(70, other), Into::kWrite, o.v());
         t.SumSigns({}, Into::kWrite, o.w());
       },
       1, [](size_t n) { return n / 8 + BytesOfBits(n); }},
      {"SumSigns",
       [=](const Table& t, With& o) {
         const kernels::Signs<T> signs = {reinterpret_cast<const std::byte*>(o.w().data()), false, o.octets(), kThird};
         t.SumSigns(std::array{signs, signs}, Into::kStream, o.u());
       },
       1, bits},
  };
  for (const auto& more : {RoundingCases<T>(), LargestCases<T>(), FactorCases<T>()})
    cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

}  // namespace gradwire::testing
