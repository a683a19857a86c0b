// SPDX-License-Identifier: Apache-2.0
#include "compress/operator.h"
#include "compress/spec.h"
#include "compress/stream.h"

namespace gradwire {
namespace {

/// k consecutive of d elements, around the end, from one drawn uniformly, times d/k (Burlachenko & Richtarik,
/// "Unlocking FedNL: self-contained compute-optimized implementation", 2024, arXiv 2410.08760). k is counted per
/// parameter and shared over its pieces. One draw a piece and a copy: no position is computed. An element is kept where
/// one of k starts is drawn, so with probability k/d, and that C is diagonal gives the constants as of rand-k.
///
/// Both ends draw the start from the site, so only the values travel. Payload: k values (T), bits untouched, from the
/// start on.
class RandSeqK final : public Operator<RandSeqK> {
 public:
  explicit RandSeqK(Amount amount) : amount_(amount) {}

  std::string spec() const override { return "randseqk:" + amount_.text(); }
  bool sees_shape() const override { return amount_.is_of_order(); }
  bool unbiased() const override { return true; }
  /// d/k - 1, exactly: E||C(x) - x||^2 = omega ||x||^2 for every x.
  std::optional<double> omega(const Piece& piece) const override { return Scale(piece) - 1; }
  /// 1 - omega, where that is above 0.
  std::optional<double> delta(const Piece& piece) const override { return ContractionOf(Scale(piece) - 1); }
  size_t Bytes(const Piece& piece, Dtype dtype) const override { return K(piece) * SizeOf(dtype); }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype, std::span<const std::byte>) const override {
    return rule.Numbers(K(piece));
  }

  template <typename T>
  void Compress(const Site& site, Lane&, std::span<T> u, std::span<std::byte> out) const {
    const T scale = static_cast<T>(Scale(site.piece));
    ForEachRun(site, [&](size_t at, size_t first, size_t count) {
      const std::span<T> kept = u.subspan(at, count);
      std::ranges::copy(std::as_bytes(kept), out.begin() + static_cast<std::ptrdiff_t>(first * sizeof(T)));
      for (T& x : kept) x -= scale * x;
    });
  }

  template <typename T>
  void Add(const Site& site, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    const T scale = static_cast<T>(Scale(site.piece));
    ForEachRun(site, [&](size_t at, size_t first, size_t count) {
      for (size_t i = 0; i < count; ++i) out[at + i] += weight * (scale * LoadAt<T>(payload, first + i));
    });
  }

 private:
  size_t K(const Piece& piece) const { return ShareOf(amount_.Of(piece), piece); }
  /// d/k.
  double Scale(const Piece& piece) const {
    return piece.numel ? static_cast<double>(piece.numel) / static_cast<double>(K(piece)) : 1;
  }

  /// Calls take(position, place in the payload, elements): up to the end, then what is left from the begin on.
  template <typename Take>
  void ForEachRun(const Site& site, Take&& take) const {
    const size_t n = site.piece.numel, k = K(site.piece);
    if (k == 0) return;
    const size_t start = StreamOf(site).Below(static_cast<uint32_t>(n)), first = std::min(k, n - start);
    take(start, size_t{0}, first);
    if (k > first) take(size_t{0}, first, k - first);
  }

  Amount amount_;
};

}  // namespace

std::shared_ptr<const Compressor> MakeRandSeqK(std::string_view argument) {
  return std::make_shared<RandSeqK>(ParseAmount("randseqk", argument, argument));
}

}  // namespace gradwire
