// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "compress/largest.h"
#include "compress/sparse.h"
#include "compress/spec.h"

namespace gradwire {
namespace {

/// The elements of magnitude lambda or more, as many as there are (Dutta et al., "On the discrepancy between the
/// theoretical analysis and practical implementations of compressed communication", AAAI 2020). Its error is bounded by
/// lambda sqrt(d), not by a share of ||x||: below lambda nothing is sent, so there is no delta.
/// With `adaptive` lambda is a share, in (0, 1], of the largest magnitude (Islamov et al. 2022, arXiv 2206.03588). If m
/// is that and r elements are left out, the error is below r lambda^2 m^2, and at most a share r lambda^2 / (1 + r
/// lambda^2) of ||x||^2 with r <= d - 1: so delta = 1 / (1 + (d - 1) lambda^2). Payload: the kept elements and their
/// number.
class Threshold final : public SparseOperator<Threshold> {
 public:
  Threshold(double lambda, bool adaptive) : lambda_(lambda), adaptive_(adaptive) {}

  std::string spec() const override { return fmt::format("{}:{}", adaptive_ ? "adaptive" : "threshold", lambda_); }
  bool unbiased() const override { return false; }
  std::optional<double> omega(const Piece&) const override { return std::nullopt; }
  std::optional<double> delta(const Piece& piece) const override {
    const double others = static_cast<double>(std::max<size_t>(piece.numel, 1)) - 1;
    return adaptive_ ? std::optional(1 / (1 + others * lambda_ * lambda_)) : std::nullopt;
  }
  bool variable() const override { return true; }
  size_t Bytes(const Piece& piece, Dtype dtype) const override {
    return CountedMostBytes(piece.numel, piece.numel, dtype);
  }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype,
                     std::span<const std::byte> payload) const override {
    const size_t k = CountIn(payload);
    return rule.Numbers(k) + rule.Positions(k, piece.numel) + rule.Count(piece.numel);
  }

  template <typename T>
  EncodeResult EncodeSource(const Site&, Lane& lane, kernels::Source<T> source, std::span<std::byte> out) const {
    auto kept = TakeCandidates<T>(lane, source.n, source.n);
    const auto collect = [&](const kernels::Source<T>& from, double at) {
      return kernels::CollectLarge<T>(from, kernels::MagnitudeBits(SmallestFrom<T>(at)), from.n, kept);
    };
    bool finite;
    if (adaptive_) {
      if (source.left.empty()) source.left = lane.scratch.Take<T>(source.n);
      finite = kernels::AddChecked(source);
      const auto largest = static_cast<double>(kernels::MaxMagnitude<T>(source.left));
      collect({source.n, source.left, 1, {}, {}}, lambda_ * largest);
    } else {
      finite = collect(source, lambda_);
    }
    const std::span<const uint32_t> positions(kept.positions, kept.count);
    if (!source.left.empty())
      for (const uint32_t position : positions) source.left[position] = 0;
    return {WriteCounted<T>({kept.values, kept.count}, positions, source.n, out), finite};
  }

  template <typename T>
  Kept<T> Read(const Site& site, Lane& lane, std::span<const std::byte> payload) const {
    return ReadCounted<T>(*this, payload, site.piece.numel, site.piece.numel, lane);
  }

 private:
  /// The smallest T above 0 that is not below `at`; infinity where none is.
  template <typename T>
  static T SmallestFrom(double at) {
    if (at > static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::infinity();
    T smallest = static_cast<T>(at);
    if (static_cast<double>(smallest) < at) smallest = std::nextafter(smallest, std::numeric_limits<T>::infinity());
    return std::max(smallest, std::numeric_limits<T>::denorm_min());
  }

  double lambda_;
  bool adaptive_;
};

}  // namespace

std::shared_ptr<const Compressor> MakeThreshold(std::string_view argument) {
  const auto lambda = ReadNumber(argument);
  if (!lambda || *lambda <= 0) throw BadArgument("threshold", argument, "a magnitude above 0 (threshold:0.001)");
  return std::make_shared<Threshold>(*lambda, false);
}

std::shared_ptr<const Compressor> MakeAdaptive(std::string_view argument) {
  const auto lambda = ReadNumber(argument);
  if (!lambda || *lambda <= 0 || *lambda > 1)
    throw BadArgument("adaptive", argument, "a share of the largest magnitude above 0 and up to 1 (adaptive:0.5)");
  return std::make_shared<Threshold>(*lambda, true);
}

}  // namespace gradwire
