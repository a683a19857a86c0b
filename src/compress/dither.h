// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "compress/operator.h"
#include "compress/stream.h"
#include "kernels/codes.h"

namespace gradwire {

/// The body of operators that round each element at random to one of 2s + 1 levels, plus or minus a share of a norm, so
/// that its mean is kept: to T's rounding, FORMAT.md says how exactly. The norm is at least the largest magnitude; one
/// beyond T is replaced by T's largest number.
/// Each block of 1,024 elements, or of a power of two below, has a norm of its own: the variance is then that of
/// vectors of so many elements, whatever the size of the piece, and 1,024 elements are taken while they lie in the
/// first-level cache. Payload: the norms of the blocks (T), then a code an element: s + l, or s - l where it is
/// negative, packed (kernels/codes.h).
template <typename Derived>
class Dither : public Operator<Derived> {
 public:
  explicit Dither(const kernels::Dithering& how) : how_(how) {}

  size_t Bytes(const Piece& piece, Dtype dtype) const override {
    return how_.norms(piece.numel) * SizeOf(dtype) + kernels::CodeSpace(2 * how_.count + 1).bytes(piece.numel);
  }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype dtype,
                     std::span<const std::byte> payload) const override {
    const size_t n = piece.numel, norms = how_.norms(n);
    const uint64_t nonzero = rule.counts_zeros ? n : NonZero(n, payload.subspan(norms * SizeOf(dtype)));
    return rule.Numbers(norms) + rule.Levels(n, nonzero, how_.count);
  }

  template <typename T>
  EncodeResult EncodeSource(const Site& site, Lane&, const kernels::Source<T>& source, std::span<std::byte> out) const {
    return {out.size(), kernels::EncodeDithered<T>(source, how_, DrawsOf(site), out.data())};
  }

  template <typename T>
  void DecodeAs(const Site& site, Lane& lane, std::span<const Payload> payloads, std::span<const T> weights, Into into,
                std::span<T> out) const {
    const auto check = [&](std::span<const std::byte> payload) {
      for (size_t block = 0; block < how_.norms(out.size()); ++block) CheckNorm(LoadAt<T>(payload, block), block);
    };
    this->template SumCoded<T>(
        site, lane, payloads, weights, check, " payload with a code that stands for no level",
        [&](std::span<const kernels::Coded<T>> all) { return kernels::SumDithered<T>(all, how_, into, out); });
  }

 protected:
  const kernels::Dithering& how() const { return how_; }

  /// Elements that share a norm, of a piece of so many: what omega is a function of.
  double Dimension(const Piece& piece) const {
    return static_cast<double>(std::clamp<size_t>(piece.numel, 1, how_.block));
  }

 private:
  template <typename T>
  static void CheckNorm(T norm, size_t block) {
    if (!(norm >= 0 && norm <= std::numeric_limits<T>::max()))
      throw PayloadError("payload whose norm of block " + std::to_string(block) + " is " + std::to_string(norm) +
                         ", expected finite and not negative");
  }

  /// Codes that do not stand for 0.
  uint64_t NonZero(size_t n, std::span<const std::byte> codes) const {
    uint64_t nonzero = 0;
    kernels::ForBlocks(n, [&](size_t first, size_t count) {
      std::array<uint16_t, kernels::kBlock> block;
      kernels::CodeSpace(2 * how_.count + 1).Unpack(n, first, codes.data(), std::span(block).first(count));
      for (size_t i = 0; i < count; ++i) nonzero += block[i] != how_.count;
    });
    return nonzero;
  }

  const kernels::Dithering how_;
};

/// "1", "2" or "inf".
std::optional<kernels::Norm> ReadNorm(std::string_view text);
std::string_view NameOf(kernels::Norm norm);

}  // namespace gradwire
