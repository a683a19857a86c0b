// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <functional>

#include "compress/sparse.h"
#include "compress/spec.h"
#include "compress/stream.h"

namespace gradwire {
namespace {

struct RandKOptions {
  bool common = false;    ///< one draw for all workers
  bool unscaled = false;  ///< kept elements as they are: contractive in place of unbiased
  bool sent = false;      ///< positions travel
};

/// k of d elements, times d/k (Stich, Cordonnier & Jaggi, "Sparsified SGD with memory", NeurIPS 2018). k is counted per
/// parameter and shared over its pieces.
///
/// One is drawn from each of k strata, consecutive elements, d/k of them rounded down or up, after all strata were
/// shifted by a common uniform offset, around the end. The offset alone gives each element the chance of k/d, whatever
/// the strata's lengths are, and of nothing else do the constants below depend: C is diagonal, so E C(x) and
/// E||C(x) - x||^2 are sums over single elements. What differs from a uniform subset are chances of pairs: two
/// neighbours are rarely kept together. For that, positions come ascending, from k draws that wait for nobody.
///
/// Both ends draw the positions from the site, so only the values travel. Payload: k values (T), bits untouched, in
/// ascending order of position. With `sent` the positions follow (compress/sparse.h), for receivers that do not share
/// the seed.
///
/// Each worker tosses its own coins, and omega counts 1/n in a mean over n workers. With `common` all workers keep the
/// same positions: the operator is linear, and the mean over the workers has the whole omega.
class RandK final : public SparseOperator<RandK> {
 public:
  RandK(Amount amount, RandKOptions options) : amount_(amount), options_(options) {}

  std::string spec() const override {
    return "randk:" + amount_.text() + (options_.common ? ":common" : "") + (options_.unscaled ? ":unscaled" : "") +
           (options_.sent ? ":sent" : "");
  }
  bool sees_shape() const override { return amount_.is_of_order(); }
  bool unbiased() const override { return !options_.unscaled; }
  bool linear() const override { return options_.common; }
  /// d/k - 1, exactly: E||C(x) - x||^2 = omega ||x||^2 for every x.
  std::optional<double> omega(const Piece& piece) const override {
    return options_.unscaled ? std::nullopt : std::optional(1 / Share(piece) - 1);
  }
  /// Unscaled k/d, exactly. Scaled 1 - omega, where that is above 0.
  std::optional<double> delta(const Piece& piece) const override {
    return options_.unscaled ? Share(piece) : ContractionOf(1 / Share(piece) - 1);
  }
  size_t Bytes(const Piece& piece, Dtype dtype) const override {
    return options_.sent ? SparseBytes(K(piece), piece.numel, dtype) : K(piece) * SizeOf(dtype);
  }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype, std::span<const std::byte>) const override {
    return rule.Numbers(K(piece)) + (options_.sent ? rule.Positions(K(piece), piece.numel) : 0);
  }

  template <typename T>
  EncodeResult EncodeSource(const Site& site, Lane& lane, kernels::Source<T> source, std::span<std::byte> out) const {
    const std::span<T> values = lane.scratch.Take<T>(K(site.piece));
    const std::span<const uint32_t> positions = Draw<T>(site, lane);
    bool finite = true;
    if (source.residual.empty() && source.left.empty() && AllFinite(source)) {  // nothing else is of interest
      for (size_t j = 0; j < values.size(); ++j)
        values[j] = source.v.empty() ? 0 : source.scale * source.v[positions[j]];
    } else {
      if (source.left.empty()) source.left = lane.scratch.Take<T>(source.n);
      finite = kernels::AddChecked(source);
      const T factor = Factor<T>(site.piece);
      for (size_t j = 0; j < values.size(); ++j) {
        values[j] = source.left[positions[j]];
        source.left[positions[j]] -= factor * values[j];
      }
    }
    if (options_.sent)
      WriteSparse<T>(values, positions, site.piece.numel, out);
    else
      std::ranges::copy(std::as_bytes(values), out.begin());
    return {out.size(), finite};
  }

  template <typename T>
  Kept<T> Read(const Site& site, Lane& lane, std::span<const std::byte> payload) const {
    const size_t k = K(site.piece);
    Kept<T> kept = options_.sent ? ReadSparse<T>(*this, payload, k, site.piece.numel, lane)
                                 : Kept<T>{Draw<T>(site, lane).data(), payload.data(), k, 1, 1};
    kept.factor = Factor<T>(site.piece);
    return kept;
  }

 private:
  size_t K(const Piece& piece) const { return ShareOf(amount_.Of(piece), piece); }
  /// k/d.
  double Share(const Piece& piece) const {
    return piece.numel ? static_cast<double>(K(piece)) / static_cast<double>(piece.numel) : 1;
  }
  /// Of kept elements.
  template <typename T>
  T Factor(const Piece& piece) const {
    if (options_.unscaled || piece.numel == 0) return 1;
    return static_cast<T>(static_cast<double>(piece.numel) / static_cast<double>(K(piece)));
  }

  /// Whether u is, of a source without memory.
  template <typename T>
  static bool AllFinite(const kernels::Source<T>& source) {
    return kernels::AllFinite<T>(source.v) &&
           (source.scale == 1 || std::isfinite(source.scale * kernels::MaxMagnitude<T>(source.v)));
  }

  /// Ascending.
  template <typename T>
  std::span<const uint32_t> Draw(const Site& site, Lane& lane) const {
    const size_t k = K(site.piece);
    const auto positions = lane.scratch.Take<uint32_t>(k), drawn = lane.scratch.Take<uint32_t>(k);
    if (k == 0) return positions;
    const Draws draws = options_.common ? CommonStreamOf(site).draws() : DrawsOf(site);
    kernels::DrawStrata<T>(draws, site.piece.numel, k, drawn.data());
    // Shifted around the end, they ascend from the first one that went around it.
    const auto around = std::ranges::adjacent_find(drawn, std::greater<>());
    std::ranges::rotate_copy(drawn, around == drawn.end() ? drawn.begin() : around + 1, positions.begin());
    return positions;
  }

  Amount amount_;
  RandKOptions options_;
};

}  // namespace

std::shared_ptr<const Compressor> MakeRandK(std::string_view argument) {
  const std::vector<std::string_view> parts = Split(argument, ':');
  const Amount amount = ParseAmount("randk", parts[0], argument);
  RandKOptions options;
  for (size_t i = 1; i < parts.size(); ++i) {
    bool* const option = parts[i] == "common"     ? &options.common
                         : parts[i] == "unscaled" ? &options.unscaled
                         : parts[i] == "sent"     ? &options.sent
                                                  : nullptr;
    if (option == nullptr || *option)
      throw BadArgument("randk", argument, "common or sent, unscaled, behind the amount (randk:1%:common)");
    *option = true;
  }
  if (options.common && options.sent)
    throw BadArgument("randk", argument, "common or sent, not both: common positions are known to all workers");
  return std::make_shared<RandK>(amount, options);
}

}  // namespace gradwire
