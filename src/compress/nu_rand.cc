// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cmath>
#include <limits>

#include "compress/sparse.h"
#include "compress/spec.h"
#include "compress/stream.h"
#include "kernels/codes.h"
#include "kernels/norm.h"
#include "kernels/scalar/norm.h"

namespace gradwire {
namespace {

using kernels::Norm;

/// One element j, drawn with probability |x_j| / ||x||_1, as ||x||_1 sign(x_j) (Horvath & Richtarik, ICLR 2021, arXiv
/// 2006.11077): unbiased with the error ||x||_1^2 - ||x||^2 exactly, whose supremum is (d - 1) ||x||^2.
/// Payload: the value (T) and its position; of a piece of zeros value 0 at position 0.
class NuRand1 final : public SparseOperator<NuRand1> {
 public:
  std::string spec() const override { return "nu_rand1"; }
  bool unbiased() const override { return true; }
  /// Attained by equal magnitudes.
  std::optional<double> omega(const Piece& piece) const override {
    return static_cast<double>(std::max<size_t>(piece.numel, 1)) - 1;
  }
  std::optional<double> delta(const Piece& piece) const override { return ContractionOf(*omega(piece)); }
  size_t Bytes(const Piece& piece, Dtype dtype) const override {
    return SparseBytes(piece.numel ? 1 : 0, piece.numel, dtype);
  }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype, std::span<const std::byte>) const override {
    return piece.numel ? rule.Numbers(1) + 1 + rule.Positions(1, piece.numel) : 0;  // the norm and a sign
  }

  template <typename T>
  void Compress(const Site& site, Lane&, std::span<T> u, std::span<std::byte> out) const {
    if (u.empty()) return;
    const size_t at = Draw<T>(StreamOf(site), u);
    const T norm = RoundedNorm<T>(u), value = u[at] < 0 ? -norm : norm;
    const auto position = static_cast<uint32_t>(at);
    WriteSparse<T>({&value, 1}, {&position, 1}, u.size(), out);
    u[at] -= value;
  }

  template <typename T>
  Kept<T> Read(const Site& site, Lane& lane, std::span<const std::byte> payload) const {
    return ReadSparse<T>(*this, payload, site.piece.numel ? 1 : 0, site.piece.numel, lane);
  }

 private:
  /// The norm that the draw goes by, at most T's largest finite number, and never below the largest magnitude.
  template <typename T>
  static T RoundedNorm(std::span<const T> u) {
    const kernels::ScaledNorm norm = kernels::NormScaled(u, Norm::kL1);
    const double limit = static_cast<double>(std::numeric_limits<T>::max());
    return std::max(static_cast<T>(std::min(norm.value / norm.scale, limit)), kernels::MaxMagnitude(u));
  }

  /// Goes along the sums of blocks, then along the magnitudes of one, until they pass a uniform share of the whole.
  /// Where rounding leaves a rest, the last block, and in it the last element, that is not zero.
  template <typename T>
  static size_t Draw(Philox random, std::span<const T> u) {
    const kernels::ScaledNorm norm = kernels::NormScaled(u, Norm::kL1);
    double left = random.Uniform() * norm.value, next = left;
    size_t from = 0, to = 0, last = 0;
    bool found = false;
    kernels::ForBlocks(u.size(), [&](size_t first, size_t n) {
      const double sum = found ? 0 : kernels::SumOfMagnitudes(u.subspan(first, n), norm.scale);
      if (sum == 0) return;
      from = first, to = first + n, left = next, next -= sum, found = next < 0;
    });
    for (size_t i = from; i < to; ++i) {
      if (u[i] == 0) continue;
      last = i;
      left -= std::abs(static_cast<double>(u[i])) * norm.scale;
      if (left < 0) break;
    }
    return last;
  }
};

/// Element j with probability p_j, independently, as x_j / p_j (Wangni et al., "Gradient sparsification for
/// communication-efficient distributed optimization", NeurIPS 2018, algorithm 3). p = min(k |x| / ||x||_1, 1); up to
/// four times what the ones do not use is shared out among the others in proportion. The error is sum x_j^2 (1/p_j - 1)
/// exactly, the expected number of elements sum p_j, about k. omega: p_j >= min(k |x_j| / ||x||_1, 1), so the error is
/// at most ||x||_1^2 / k <= (d/k) ||x||^2; with k = d nothing is left out. Payload: the kept elements and their number.
class NuRandK final : public SparseOperator<NuRandK> {
 public:
  explicit NuRandK(Amount amount) : amount_(amount) {}

  std::string spec() const override { return "nu_randk:" + amount_.text(); }
  bool sees_shape() const override { return amount_.is_of_order(); }
  bool unbiased() const override { return true; }
  std::optional<double> omega(const Piece& piece) const override {
    const size_t k = K(piece);
    return k >= piece.numel ? 0 : static_cast<double>(piece.numel) / static_cast<double>(k);
  }
  std::optional<double> delta(const Piece& piece) const override { return ContractionOf(*omega(piece)); }
  bool variable() const override { return true; }
  size_t Bytes(const Piece& piece, Dtype dtype) const override {
    return CountedMostBytes(piece.numel, piece.numel, dtype);
  }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype,
                     std::span<const std::byte> payload) const override {
    const size_t k = CountIn(payload);
    return rule.Numbers(k) + rule.Positions(k, piece.numel);
  }

  template <typename T>
  size_t Compress(const Site& site, Lane& lane, std::span<T> u, std::span<std::byte> out) const {
    const std::span<double> p = lane.scratch.Take<double>(u.size());
    const auto kept = lane.scratch.Take<uint32_t>(u.size());
    const std::span<T> values = lane.scratch.Take<T>(u.size());
    Probabilities<T>(u, K(site.piece), p);
    size_t k = 0;
    kernels::ForBlocks(u.size(), [&](size_t first, size_t n) {
      std::array<typename kernels::Bits<T>::Word, kernels::kBlock> draws;
      kernels::DrawWords<T>(DrawsOf(site), first, std::span(draws).first(n));
      for (size_t i = 0; i < n; ++i)
        if (Share(draws[i]) < p[first + i]) kept[k++] = static_cast<uint32_t>(first + i);
    });
    for (size_t j = 0; j < k; ++j) {
      const size_t i = kept[j];
      values[j] = static_cast<T>(static_cast<double>(u[i]) / p[i]);
      u[i] -= values[j];
    }
    return WriteCounted<T>(values.first(k), kept.first(k), u.size(), out);
  }

  template <typename T>
  Kept<T> Read(const Site& site, Lane& lane, std::span<const std::byte> payload) const {
    return ReadCounted<T>(*this, payload, site.piece.numel, site.piece.numel, lane);
  }

 private:
  size_t K(const Piece& piece) const { return ShareOf(amount_.Of(piece), piece); }

  /// A draw as a number in [0, 1), of 32 or 53 bits: exact.
  static double Share(uint32_t draw) { return draw * 0x1p-32; }
  static double Share(uint64_t draw) { return static_cast<double>(draw >> 11) * 0x1p-53; }

  template <typename T>
  static void Probabilities(std::span<const T> u, size_t k, std::span<double> p) {
    const kernels::ScaledNorm norm = kernels::NormScaled(u, Norm::kL1);
    const double factor = norm.value > 0 ? static_cast<double>(k) / norm.value : 0;
    for (size_t i = 0; i < u.size(); ++i) {
      const double share = factor * (std::abs(static_cast<double>(u[i])) * norm.scale);
      p[i] = u[i] == 0 ? 0 : k >= u.size() ? 1 : std::min(share, 1.0);
    }
    for (int round = 0; round < 4; ++round) {
      const auto ones = static_cast<double>(std::count(p.begin(), p.end(), 1.0));
      const double others = kernels::scalar::Sum<double>(p.size(), [&](size_t i) { return p[i] < 1 ? p[i] : 0; });
      const double c = others > 0 ? (static_cast<double>(k) - ones) / others : 0;
      if (c <= 1) return;
      for (double& x : p) x = std::min(c * x, 1.0);
    }
  }

  Amount amount_;
};

}  // namespace

std::shared_ptr<const Compressor> MakeNuRand1(std::string_view argument) {
  RefuseArgument("nu_rand1", argument);
  return std::make_shared<NuRand1>();
}

std::shared_ptr<const Compressor> MakeNuRandK(std::string_view argument) {
  return std::make_shared<NuRandK>(ParseAmount("nu_randk", argument, argument));
}

}  // namespace gradwire
