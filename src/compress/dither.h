// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <limits>
#include <string>

#include "compress/operator.h"
#include "compress/stream.h"
#include "kernels/codes.h"
#include "kernels/norm.h"

namespace gradwire {

/// The body of operators that round each element at random to one of 2s + 1 levels: plus or minus a fraction of a norm.
/// Levels says which fractions: count(), Fraction<T>(l) for l = 1 .. s with Fraction(s) = 1, and Below(y), the largest
/// l < s whose fraction is not above y. Dithering and natural dithering are its two kinds.
///
/// The levels are rounded first, and an element between two of them goes up with the probability that makes its mean
/// exact. So it stays unbiased where rounding matters (denormals), and for any norm of at least the largest magnitude:
/// one beyond T is replaced by T's largest number.
/// Payload: the norm (T), then a code an element: s + l, or s - l where it is negative, packed (kernels/codes.h).
template <typename Levels>
class Dither {
 public:
  explicit Dither(Levels levels) : levels_(levels), space_(2 * levels.count() + 1) {}

  size_t Bytes(const Piece& piece, Dtype dtype) const {
    return piece.numel ? SizeOf(dtype) + space_.bytes(piece.numel) : 0;
  }

  template <typename T>
  void Compress(const Site& site, Lane& lane, T norm, std::span<T> u, std::span<std::byte> out) const {
    if (u.empty()) return;
    StoreAt(out, 0, norm);
    const std::span<const T> value = Values<T>(lane, norm);
    kernels::CodeWriter codes(space_, out.data() + sizeof(T));
    Philox random = StreamOf(site);
    for (T& x : u) {
      const T magnitude = std::abs(x);
      const uint32_t below = levels_.Below(norm > 0 ? static_cast<double>(magnitude) / static_cast<double>(norm) : 0);
      const uint32_t level = below + Happens<T>(random, Share(value[below], magnitude, value[below + 1]));
      const bool negative = x < 0;
      codes.Put(negative ? levels_.count() - level : levels_.count() + level);
      x -= negative ? -value[level] : value[level];
    }
    codes.Finish();
  }

  template <typename T>
  void Add(Lane& lane, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    if (out.empty()) return;
    const T norm = LoadAt<T>(payload, 0);
    if (!(norm >= 0 && norm <= std::numeric_limits<T>::max()))
      throw PayloadError("payload whose norm is " + std::to_string(norm) + ", expected finite and not negative");
    const std::span<const T> value = Values<T>(lane, norm);
    kernels::CodeReader codes(space_, payload.data() + sizeof(T));
    const uint32_t zero = levels_.count();
    for (T& x : out) {
      const uint32_t code = codes.Next();
      if (code >= space_.symbols)
        throw PayloadError("payload with code " + std::to_string(code) + ", expected below " +
                           std::to_string(space_.symbols));
      x += weight * (code < zero ? -value[zero - code] : value[code - zero]);
    }
  }

 private:
  template <typename T>
  std::span<const T> Values(Lane& lane, T norm) const {
    const std::span<T> value = lane.scratch.Take<T>(levels_.count() + 1);
    value[0] = 0;
    for (uint32_t l = 1; l <= levels_.count(); ++l) value[l] = norm * levels_.template Fraction<T>(l);
    return value;
  }

  /// How far x is on the way from low to high; 0 where these are rounded to the same number.
  static double Share(double low, double x, double high) { return high > low ? (x - low) / (high - low) : 0; }

  Levels levels_;
  kernels::CodeSpace space_;
};

/// "1", "2" or "inf".
std::optional<kernels::Norm> ReadNorm(std::string_view text);
std::string_view NameOf(kernels::Norm norm);

}  // namespace gradwire
