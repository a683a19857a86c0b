// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <numbers>

#include "base/symmetric.h"
#include "compress/low_rank.h"
#include "compress/operator.h"
#include "compress/spec.h"

namespace gradwire {
namespace {

constexpr int kMostExponent = 1100;     // of a payload: more than any T has
constexpr double kMostFactor = 0x1p32;  // no factor of elements below 1 is larger: sqrt(numel)

/// The nearest matrix of rank R: of a matrix its R largest singular values with their vectors, R (rows + cols) numbers;
/// of a symmetric one the R eigenvalues of largest magnitude with theirs, R (d + 1) numbers (Safaryan et al., "FedNL:
/// making Newton-type methods applicable to federated learning", ICML 2022). What is no matrix, and matrices that are
/// no longer than their factors, go as they are. Payload: an exponent (i32), then the factors (T).
class Rank final : public Operator<Rank> {
 public:
  explicit Rank(size_t rank) : rank_(rank) {}

  std::string spec() const override { return "rank:" + std::to_string(rank_); }
  bool sees_shape() const override { return true; }
  bool unbiased() const override { return false; }
  std::optional<double> omega(const Piece&) const override { return std::nullopt; }
  /// R / min(rows, cols): ||A - A_R||_F^2 is the sum of the squares of the other singular values, none of which is
  /// larger than those that are kept (Eckart & Young 1936). Attained where all are equal.
  std::optional<double> delta(const Piece& piece) const override {
    return IsDense(piece) ? 1 : static_cast<double>(rank_) / static_cast<double>(std::min(piece.rows, piece.cols));
  }
  size_t Bytes(const Piece& piece, Dtype dtype) const override {
    return IsDense(piece) ? piece.numel * SizeOf(dtype) : sizeof(int32_t) + Numbers(piece) * SizeOf(dtype);
  }
  /// Papers count singular values apart from the vectors.
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype, std::span<const std::byte>) const override {
    if (IsDense(piece)) return rule.Numbers(piece.numel);
    return rule.Numbers(Numbers(piece) + (piece.symmetric ? 0 : rank_));
  }

  template <typename T>
  void Compress(const Site& site, Lane& lane, std::span<T> u, std::span<std::byte> out) const {
    if (IsDense(site.piece)) {
      std::ranges::copy(std::as_bytes(u), out.begin());
      std::ranges::fill(u, T{0});
      return;
    }
    const double largest = static_cast<double>(kernels::MaxMagnitude<T>(u));
    const int32_t exponent = largest > 0 ? std::ilogb(largest) + 1 : 0;
    StoreAt(out, 0, exponent);
    const std::span<double> factors = lane.scratch.Take<double>(Numbers(site.piece));
    std::ranges::fill(factors, 0.0);
    if (largest > 0) Decompose<T>(site.piece, lane, u, -exponent, factors);
    for (size_t i = 0; i < factors.size(); ++i) StoreAt(out.subspan(sizeof(exponent)), i, static_cast<T>(factors[i]));
    ForEachRow<T>(site.piece, lane, out, [&](size_t at, std::span<const T> row) {
      for (size_t j = 0; j < row.size(); ++j) u[at + j] = Finite<T>(u[at + j] - row[j]);
    });
  }

  template <typename T>
  void Add(const Site& site, Lane& lane, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    if (IsDense(site.piece)) {
      for (size_t i = 0; i < out.size(); ++i) out[i] += weight * LoadAt<T>(payload, i);
      return;
    }
    ForEachRow<T>(site.piece, lane, payload, [&](size_t at, std::span<const T> row) {
      for (size_t j = 0; j < row.size(); ++j) out[at + j] += weight * row[j];
    });
  }

 private:
  /// Of a payload that is not dense.
  size_t Numbers(const Piece& piece) const {
    return rank_ * (piece.symmetric ? piece.rows + 1 : piece.rows + piece.cols);
  }
  /// The first comparison is for ranks whose product with a size has no room.
  bool IsDense(const Piece& piece) const {
    return rank_ >= std::min(piece.rows, piece.cols) || Numbers(piece) >= piece.numel;
  }

  /// The factors of 2^shift u.
  template <typename T>
  void Decompose(const Piece& piece, Lane& lane, std::span<const T> u, int shift, std::span<double> factors) const {
    const std::span<double> scaled = lane.scratch.Take<double>(u.size());
    for (size_t i = 0; i < u.size(); ++i) scaled[i] = Shifted(static_cast<double>(u[i]), shift);
    if (!piece.symmetric) {
      const size_t of_left = rank_ * piece.rows;
      return BestFactors(piece.rows, piece.cols, rank_, scaled, factors.first(of_left), factors.subspan(of_left));
    }
    const std::span<double> matrix = lane.scratch.Take<double>(piece.rows * piece.rows);
    UnpackSymmetric<double>(piece.rows, scaled, matrix);
    LargestEigenpairs(piece.rows, rank_, matrix, factors.first(rank_), factors.subspan(rank_));
  }

  /// Calls take(place of its first element in the piece, elements) for each row, of a symmetric matrix from the
  /// diagonal on. A value is a sum over the factors, in order and in binary64, so that all receivers have the same
  /// bits.
  template <typename T, typename Take>
  void ForEachRow(const Piece& piece, Lane& lane, std::span<const std::byte> payload, Take&& take) const {
    const auto exponent = LoadAt<int32_t>(payload, 0);
    if (exponent < -kMostExponent || exponent > kMostExponent)
      throw PayloadError(spec() + " payload: exponent " + std::to_string(exponent));
    const std::span<const double> factors = ReadFactors<T>(piece, lane, payload.subspan(sizeof(exponent)));
    const size_t of_left = rank_ * (piece.symmetric ? 1 : piece.rows);
    const std::span<const double> left = factors.first(of_left), right = factors.subspan(of_left);
    const std::span<double> sums = lane.scratch.Take<double>(piece.cols);
    const std::span<T> row = lane.scratch.Take<T>(piece.cols);
    for (size_t i = 0, at = 0; i < piece.rows; ++i) {
      const size_t from = piece.symmetric ? i : 0;
      std::ranges::fill(sums, 0.0);
      for (size_t r = 0; r < rank_; ++r) {
        const double* const vector = &right[r * piece.cols];
        const double factor = piece.symmetric ? left[r] * vector[i] : left[r * piece.rows + i];
        for (size_t j = from; j < piece.cols; ++j) sums[j] += factor * vector[j];
      }
      for (size_t j = from; j < piece.cols; ++j) {
        const double element = piece.symmetric && j > i ? std::numbers::sqrt2 * sums[j] : sums[j];
        row[j] = Finite<T>(Shifted(element, exponent));
      }
      take(at, std::span<const T>(row).subspan(from));
      at += piece.cols - from;
    }
  }

  template <typename T>
  std::span<const double> ReadFactors(const Piece& piece, Lane& lane, std::span<const std::byte> bytes) const {
    const std::span<double> factors = lane.scratch.Take<double>(Numbers(piece));
    for (size_t i = 0; i < factors.size(); ++i) {
      factors[i] = static_cast<double>(LoadAt<T>(bytes, i));
      if (!(std::abs(factors[i]) <= kMostFactor))
        throw PayloadError(spec() + " payload: factor " + std::to_string(factors[i]));
    }
    return factors;
  }

  /// 2^exponent x, by powers of two that double has; exact unless the result is below its smallest normal number.
  static double Shifted(double x, int exponent) {
    const int half = exponent / 2;
    return x * std::ldexp(1.0, half) * std::ldexp(1.0, exponent - half);
  }

  /// Not beyond T's largest number.
  template <typename T>
  static T Finite(double x) {
    constexpr auto kLargest = static_cast<double>(std::numeric_limits<T>::max());
    return static_cast<T>(std::clamp(x, -kLargest, kLargest));
  }

  size_t rank_;
};

}  // namespace

std::shared_ptr<const Compressor> MakeRank(std::string_view argument) {
  const auto rank = ReadCount(argument);
  if (!rank || *rank == 0)
    throw BadArgument("rank", argument, "a number of singular values per matrix, 1 or more (rank:2)");
  return std::make_shared<Rank>(*rank);
}

}  // namespace gradwire
