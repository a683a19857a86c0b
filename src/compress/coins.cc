// SPDX-License-Identifier: Apache-2.0
#include "compress/coins.h"

#include <algorithm>
#include <utility>

#include "compress/operator.h"
#include "compress/stream.h"

namespace gradwire {
namespace {

using Chances = std::vector<std::vector<double>>;

/// The largest 1/p - 1 of elements that are ever kept.
double MostOmega(const Chances& chances) {
  double least = 1;
  for (const std::vector<double>& worker : chances)
    for (const double p : worker)
      if (p > 0) least = std::min(least, p);
  return 1 / least - 1;
}

/// Each element by a coin of its own (Safaryan, Hanzely & Richtarik, NeurIPS 2021, arXiv 2102.07245):
/// E||C(x) - x||^2 = sum_j (1/p_j - 1) x_j^2 exactly, so omega = max_j 1/p_j - 1.
/// Both ends toss the coins of the site, one uniform number an element, so that positions do not travel. Payload: the
/// kept elements over p_j (T), ascending; their number varies.
class Coins final : public Operator<Coins> {
 public:
  Coins(std::string spec, Amount amount, Chances chances)
      : spec_(std::move(spec)), amount_(amount), chances_(std::move(chances)), most_omega_(MostOmega(chances_)) {}

  std::string spec() const override { return spec_; }
  bool sees_shape() const override { return amount_.is_of_order(); }
  bool unbiased() const override { return true; }
  std::optional<double> omega(const Piece& piece) const override {
    return chances_.empty() ? 1 / Share(piece) - 1 : most_omega_;
  }
  std::optional<double> delta(const Piece& piece) const override { return ContractionOf(*omega(piece)); }
  bool variable() const override { return true; }
  size_t Bytes(const Piece& piece, Dtype dtype) const override { return piece.numel * SizeOf(dtype); }
  /// Papers count positions, since theirs travel.
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype dtype,
                     std::span<const std::byte> payload) const override {
    const size_t kept = payload.size() / SizeOf(dtype);
    return rule.Numbers(kept) + rule.Positions(kept, piece.numel);
  }

  template <typename T>
  size_t Compress(const Site& site, Lane&, std::span<T> u, std::span<std::byte> out) const {
    size_t kept = 0;
    ForKept(site, [&](size_t j, double p) {
      const T value = static_cast<T>(static_cast<double>(u[j]) / p);
      StoreAt(out, kept++, value);
      u[j] -= value;
    });
    return kept * sizeof(T);
  }

  template <typename T>
  void Add(const Site& site, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    size_t kept = 0;
    ForKept(site, [&](size_t j, double) {
      if (kept * sizeof(T) + sizeof(T) <= payload.size()) out[j] += weight * LoadAt<T>(payload, kept);
      ++kept;
    });
    if (payload.size() != kept * sizeof(T))
      throw PayloadError(spec_ + " payload of " + std::to_string(payload.size()) + " bytes, but its coins keep " +
                         std::to_string(kept) + " elements");
  }

 private:
  double Share(const Piece& piece) const {
    if (piece.numel == 0) return 1;
    return static_cast<double>(ShareOf(amount_.Of(piece), piece)) / static_cast<double>(piece.numel);
  }

  /// take(j, p_j) of the elements that the site's coins keep.
  template <typename Take>
  void ForKept(const Site& site, Take&& take) const {
    const double share = chances_.empty() ? Share(site.piece) : 0;
    const double* const own = chances_.empty() ? nullptr : chances_.at(site.worker).data();
    Philox random = StreamOf(site);
    for (size_t j = 0; j < site.piece.numel; ++j)
      if (const double p = own ? own[j] : share; random.Uniform() < p) take(j, p);
  }

  std::string spec_;
  Amount amount_;
  Chances chances_;
  double most_omega_;
};

}  // namespace

std::shared_ptr<const Compressor> MakeCoinsOf(std::string spec, Amount amount, Chances chances) {
  return std::make_shared<Coins>(std::move(spec), amount, std::move(chances));
}

std::shared_ptr<const Compressor> MakeCoins(std::string_view argument) {
  const Amount amount = ParseAmount("coins", argument, argument);
  return MakeCoinsOf("coins:" + amount.text(), amount);
}

}  // namespace gradwire
