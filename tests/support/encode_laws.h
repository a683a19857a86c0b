// SPDX-License-Identifier: Apache-2.0
#pragma once

// What include/gradwire/compressor.h promises of Encode, for any operator. Each law returns what it saw broken, or
// nothing.

#include <algorithm>
#include <string>

#include "support/operators.h"

namespace gradwire::testing {

/// C(0) = 0 and owes nothing; an empty v stands for zeros. For the cases that hold nothing else.
template <typename T>
std::string ZeroStaysZero(const Compressor& compressor, const PieceCase<T>& c) {
  const auto is_zero = [](T value) { return value == 0; };
  if (!std::ranges::all_of(c.x, is_zero)) return {};
  const Encoded<T> encoded = Encode(compressor, c.site, c.x);
  if (!std::ranges::all_of(encoded.residual_out, is_zero)) return "zeros left a residual";
  if (!std::ranges::all_of(Decode<T>(compressor, c.site, encoded.bytes), is_zero)) return "C(0) is not 0";
  const Encoded<T> absent = Encode<T>(compressor, c.site, {}),
                   zeros = Encode(compressor, c.site, std::vector<T>(c.x.size()));
  if (!(absent == zeros)) return "an empty v gives other bytes than zeros do";
  return {};
}

/// Encode writes each byte of the payload, Bytes() of them or fewer where they vary, and none behind `out`: what lay
/// there and in the scratch memory has no influence.
template <typename T>
std::string BytesAreExact(const Compressor& compressor, const PieceCase<T>& c) {
  constexpr size_t kGuard = 64;  // behind `out`
  const size_t size = compressor.Bytes(c.site.piece, kDtypeOf<T>);
  Lane lane;  // the same for both: the second time its memory is no longer fresh
  std::vector<std::vector<std::byte>> memories;
  for (const std::byte fill : {std::byte{0x00}, std::byte{0xff}}) {
    std::vector<std::byte> memory(size + kGuard, fill);
    const size_t bytes =
        compressor.Encode(c.site, lane, c.x, T{1}, {}, std::span<T>{}, std::span(memory).first(size)).bytes;
    if (bytes > size || (bytes < size && !compressor.variable())) return "a payload of another size than Bytes()";
    if (!std::ranges::all_of(std::span(memory).last(kGuard), [&](std::byte b) { return b == fill; }))
      return "wrote behind out";
    memory.resize(bytes);
    memories.push_back(std::move(memory));
  }
  if (SameBits(memories[0], memories[1])) return {};
  const auto differ = std::ranges::mismatch(memories[0], memories[1]);
  return "byte " + std::to_string(differ.in1 - memories[0].begin()) + " of " + std::to_string(size) +
         " depends on what lay there";
}

/// residual_out + C(u) = u: what is left out is kept. residual_out is u - C(u) rounded once, by half a unit in the last
/// place; so where one of the two is zero, the other is u to the last bit.
template <typename T>
std::string NothingIsLost(const Compressor& compressor, const PieceCase<T>& c) {
  const Encoded<T> encoded = Encode(compressor, c.site, c.x);
  const std::vector<T> sent = Decode<T>(compressor, c.site, encoded.bytes);
  for (size_t i = 0; i < c.x.size(); ++i) {
    const long double lost = static_cast<long double>(c.x[i]) - sent[i] - encoded.residual_out[i];
    const long double allowed =
        sent[i] == 0 ? 0
                     : std::numeric_limits<T>::epsilon() * std::abs(static_cast<long double>(encoded.residual_out[i]));
    if (!(std::abs(lost) <= allowed))
      return "element " + std::to_string(i) + ": u = " + std::to_string(c.x[i]) + ", sent " + std::to_string(sent[i]) +
             ", residual_out " + std::to_string(encoded.residual_out[i]);
  }
  return {};
}

/// A second vector of the same size, so that scale * x + residual_in stays finite for scale 1/2.
template <typename T>
std::vector<T> ResidualBeside(const std::vector<T>& x) {
  std::vector<T> residual_in(x.rbegin(), x.rend());
  for (T& value : residual_in) value *= T(0.375);
  return residual_in;
}

/// u = scale * v + residual_in, in T, before anything else happens.
template <typename T>
std::string EncodesTheScaledSum(const Compressor& compressor, const PieceCase<T>& c) {
  const std::vector<T> residual_in = ResidualBeside(c.x);
  std::vector<T> u(c.x.size()), halves(c.x.size());
  for (size_t i = 0; i < u.size(); ++i) halves[i] = T(-0.5) * c.x[i], u[i] = T(-0.5) * c.x[i] + residual_in[i];
  if (!(Encode(compressor, c.site, c.x, T(-0.5)) == Encode(compressor, c.site, halves))) return "scale * v";
  if (!(Encode(compressor, c.site, c.x, T(-0.5), residual_in) == Encode(compressor, c.site, u)))
    return "scale * v + residual_in";
  if (!(Encode<T>(compressor, c.site, {}, T(-0.5), residual_in) == Encode(compressor, c.site, residual_in)))
    return "residual_in alone";
  return {};
}

/// residual_out may be v, or residual_in, or a vector of its own, or not wanted: the payload and u - C(u) are the same.
template <typename T>
std::string MemoryMayAlias(const Compressor& compressor, const PieceCase<T>& c) {
  const std::vector<T> residual_in = ResidualBeside(c.x);
  const Encoded<T> apart = Encode(compressor, c.site, c.x, T(0.5), residual_in);
  Lane lane;
  Encoded<T> other;
  const auto differs = [&](std::span<const T> v, std::span<const T> memory, std::span<T> residual_out) {
    other.bytes.resize(compressor.Bytes(c.site.piece, kDtypeOf<T>));
    other.bytes.resize(compressor.Encode(c.site, lane, v, T(0.5), memory, residual_out, other.bytes).bytes);
    return residual_out.empty() ? !SameBits(other.bytes, apart.bytes) : !(other == apart);
  };
  other.residual_out = c.x;
  if (differs(other.residual_out, residual_in, other.residual_out)) return "residual_out is v";
  other.residual_out = residual_in;
  if (differs(c.x, other.residual_out, other.residual_out)) return "residual_out is residual_in";
  if (differs(c.x, residual_in, std::span<T>{})) return "residual_out is not wanted";
  return {};
}

/// An element that is not finite, wherever it lies, is told, and its block is as if v were zero there.
template <typename T>
std::string RefusesWhatIsNotFinite(const Compressor& compressor, const PieceCase<T>& c) {
  const std::vector<T> residual_in = ResidualBeside(c.x);
  const auto encode = [&](const std::vector<T>& v) { return Encode(compressor, c.site, v, T(0.5), residual_in); };
  for (const T bad : {std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN()})
    for (const size_t at : {size_t{0}, c.x.size() / 2, c.x.size() - 1}) {
      if (at >= c.x.size()) continue;
      std::vector<T> v = c.x, without = c.x;
      v[at] = bad;
      const size_t block = at / 1024 * 1024;
      std::fill(without.begin() + static_cast<std::ptrdiff_t>(block),
                without.begin() + static_cast<std::ptrdiff_t>(std::min(block + 1024, c.x.size())), T{0});
      const std::string what = "an element " + std::to_string(bad) + " at " + std::to_string(at);
      const Encoded<T> found = encode(v), wanted = encode(without);
      if (found.finite) return what + " was not told";
      if (!wanted.finite) return what + " was told of finite elements";
      if (!(found == wanted)) return what + " is not as if its block were zero";
    }
  return {};
}

}  // namespace gradwire::testing
