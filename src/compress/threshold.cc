// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <fmt/format.h>

#include "compress/sparse.h"
#include "compress/spec.h"
#include "kernels/norm.h"

namespace gradwire {
namespace {

/// The elements of magnitude lambda or more, as many as there are (Dutta et al., "On the discrepancy between the
/// theoretical analysis and practical implementations of compressed communication", AAAI 2020). Its error is bounded by
/// lambda sqrt(d), not by a share of ||x||: below lambda nothing is sent, so there is no delta.
/// With `adaptive` lambda is a share, in (0, 1], of the largest magnitude (Islamov et al. 2022, arXiv 2206.03588). If m
/// is that and r elements are left out, the error is below r lambda^2 m^2, and at most a share r lambda^2 / (1 + r
/// lambda^2) of ||x||^2 with r <= d - 1: so delta = 1 / (1 + (d - 1) lambda^2). Payload: the kept elements and their
/// number.
class Threshold final : public Operator<Threshold> {
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
  size_t Bytes(const Piece& piece, Dtype dtype) const override { return CountedMostBytes(piece.numel, dtype); }

  template <typename T>
  size_t Compress(const Site&, Lane&, std::span<T> u, std::span<std::byte> out) const {
    const double at = lambda_ * (adaptive_ ? static_cast<double>(kernels::MaxMagnitude<T>(u)) : 1);
    const auto keep = [&](T x) { return x != 0 && static_cast<double>(std::abs(x)) >= at; };
    const auto k = static_cast<size_t>(std::count_if(u.begin(), u.end(), keep));
    SparseWriter<T> writer = CountedWriter<T>(k, u.size(), out);
    for (size_t i = 0; i < u.size(); ++i) {
      if (!keep(u[i])) continue;
      writer.Put(u[i], i);
      u[i] = 0;
    }
    return CountedBytes(k, u.size(), kDtypeOf<T>);
  }

  template <typename T>
  void Add(const Site&, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    AddCounted(*this, payload, weight, out);
  }

 private:
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
