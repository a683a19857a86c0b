// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "compress/operator.h"
#include "compress/stream.h"
#include "kernels/codes.h"
#include "kernels/norm.h"

namespace gradwire {

/// The power of two that brings a norm to where its inverse, and its quotients by levels, are far from the ends of T.
template <typename T>
T ScaleFor(T norm) {
  constexpr T kFar = sizeof(T) == 4 ? T(0x1p64) : T(0x1p512);
  return norm < 1 / kFar ? kFar : norm > kFar ? 1 / kFar : T{1};
}

/// l/s of a norm, l = 0 .. s: dithering.
struct UniformLevels {
  uint32_t s;

  /// A norm near T's largest number could be rounded beyond it; the unit is then the next smaller one.
  template <typename T>
  kernels::Levels<T> Of(T norm) const {
    const T scale = ScaleFor(norm), back = 1 / scale, count = static_cast<T>(s);
    T unit = norm * scale / count;
    if (!std::isfinite(count * unit * back)) unit = std::nextafter(unit, T{0});
    return {s, scale, unit, unit > 0 ? 1 / unit : T{0}, back};
  }
  template <typename T>
  static constexpr auto kRound = kernels::Dither<T>;
  template <typename T>
  static constexpr auto kAdd = kernels::AddLevels<T>;
};

/// 0, 2^-(s-1), ..., 1/2, 1 of a norm: natural dithering.
struct BinaryLevels {
  uint32_t s;

  template <typename T>
  kernels::Levels<T> Of(T norm) const {
    const T scale = ScaleFor(norm);
    return {s, scale, norm, norm > 0 ? 1 / (norm * scale) : T{0}, 1 / scale};
  }
  template <typename T>
  static constexpr auto kRound = kernels::DitherToPowers<T>;
  template <typename T>
  static constexpr auto kAdd = kernels::AddBinaryLevels<T>;
};

/// The body of operators that round each element at random to one of 2s + 1 levels, plus or minus a share of a norm, so
/// that its mean is kept: to T's rounding, FORMAT.md says how exactly. The norm is at least the largest magnitude; one
/// beyond T is replaced by T's largest number.
/// Each block of 1,024 elements has a norm of its own: the variance is then that of vectors of 1,024 elements, whatever
/// the size of the piece, and a block is taken while it lies in the first-level cache. Payload: the norms of the blocks
/// (T), then a code an element: s + l, or s - l where it is negative, packed (kernels/codes.h).
template <typename Shape>
class Dither {
 public:
  explicit Dither(uint32_t s) : shape_{s}, space_(2 * s + 1) {}

  size_t Bytes(const Piece& piece, Dtype dtype) const {
    return kernels::BlocksOf(piece.numel) * SizeOf(dtype) + space_.bytes(piece.numel);
  }
  /// Elements that share a norm, of a piece of so many: what omega is a function of.
  static double Dimension(const Piece& piece) {
    return static_cast<double>(std::clamp<size_t>(piece.numel, 1, kernels::CodeSpace::kBlock));
  }

  /// norm_of(elements of a block).
  template <typename T, typename NormOf>
  void Compress(const Site& site, NormOf&& norm_of, std::span<T> u, std::span<std::byte> out) const {
    const Draws draws = DrawsOf(site);
    std::byte* packed = out.data() + kernels::BlocksOf(u.size()) * sizeof(T);
    kernels::ForBlocks(u.size(), [&](size_t first, size_t n) {
      const std::span<T> block = u.subspan(first, n);
      const T norm = norm_of(block);
      StoreAt(out, first / kernels::CodeSpace::kBlock, norm);
      std::array<uint16_t, kernels::CodeSpace::kBlock> codes;
      Shape::template kRound<T>(draws, first, shape_.template Of<T>(norm), block, codes.data());
      space_.template Pack<T>(u.size(), first, std::span(codes).first(n), packed);
    });
  }

  template <typename T>
  void Add(std::span<const std::byte> payload, T weight, std::span<T> out) const {
    const std::byte* packed = payload.data() + kernels::BlocksOf(out.size()) * sizeof(T);
    kernels::ForBlocks(out.size(), [&](size_t first, size_t n) {
      const size_t block = first / kernels::CodeSpace::kBlock;
      const T norm = LoadAt<T>(payload, block);
      if (!(norm >= 0 && norm <= std::numeric_limits<T>::max()))
        throw PayloadError("payload whose norm of block " + std::to_string(block) + " is " + std::to_string(norm) +
                           ", expected finite and not negative");
      std::array<uint16_t, kernels::CodeSpace::kBlock> codes;
      space_.template Unpack<T>(out.size(), first, packed, std::span(codes).first(n));
      if (const uint32_t code = kernels::LargestCode<T>(codes.data(), n); code >= space_.symbols)
        throw PayloadError("payload with code " + std::to_string(code) + ", expected below " +
                           std::to_string(space_.symbols));
      Shape::template kAdd<T>(codes.data(), shape_.template Of<T>(norm), weight, out.subspan(first, n));
    });
  }

 private:
  Shape shape_;
  kernels::CodeSpace space_;
};

/// "1", "2" or "inf".
std::optional<kernels::Norm> ReadNorm(std::string_view text);
std::string_view NameOf(kernels::Norm norm);

}  // namespace gradwire
