// SPDX-License-Identifier: Apache-2.0
#include "compress/largest.h"
#include "compress/sparse.h"
#include "compress/spec.h"

namespace gradwire {
namespace {

/// The k elements of largest magnitude, ties to the lowest index (Aji & Heafield, "Sparse communication for distributed
/// gradient descent", EMNLP 2017). k is counted per parameter and shared over its pieces.
/// Payload: the kept elements (compress/sparse.h). With `counted` their number is in front, and they may be fewer
/// (Site::most): K' of them leave ||C(x) - x||^2 <= (1 - K'/d) ||x||^2.
class TopK final : public SparseOperator<TopK> {
 public:
  TopK(Amount amount, bool counted) : amount_(amount), counted_(counted) {}

  std::string spec() const override { return "topk:" + amount_.text() + (counted_ ? ":counted" : ""); }
  bool sees_shape() const override { return amount_.is_of_order(); }
  bool unbiased() const override { return false; }
  std::optional<double> omega(const Piece&) const override { return std::nullopt; }
  /// k/d, attained where all magnitudes are equal.
  std::optional<double> delta(const Piece& piece) const override {
    return piece.numel ? static_cast<double>(K(piece)) / static_cast<double>(piece.numel) : 1;
  }
  bool keeps_fewer() const override { return counted_; }
  bool variable() const override { return counted_; }
  size_t Bytes(const Piece& piece, Dtype dtype) const override {
    return counted_ ? CountedMostBytes(K(piece), piece.numel, dtype) : SparseBytes(K(piece), piece.numel, dtype);
  }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype,
                     std::span<const std::byte> payload) const override {
    const size_t k = counted_ ? CountIn(payload) : K(piece);
    return rule.Numbers(k) + rule.Positions(k, piece.numel) + (counted_ ? rule.Count(piece.numel) : 0);
  }

  template <typename T>
  EncodeResult EncodeSource(const Site& site, Lane& lane, const kernels::Source<T>& source,
                            std::span<std::byte> out) const {
    const size_t k = counted_ ? std::min(K(site.piece), site.most) : K(site.piece);
    bool finite = true;
    const auto top = Largest(lane, source, k, GuessLeast(source, k), finite);
    const std::span<const uint32_t> positions(top.positions, top.count);
    const std::span<const T> values(top.values, top.count);
    if (!source.left.empty())
      for (const uint32_t position : positions) source.left[position] = 0;
    if (counted_) return {WriteCounted<T>(values, positions, source.n, out), finite};
    WriteSparse<T>(values, positions, source.n, out);
    return {out.size(), finite};
  }

  template <typename T>
  Kept<T> Read(const Site& site, Lane& lane, std::span<const std::byte> payload) const {
    if (counted_) return ReadCounted<T>(*this, payload, K(site.piece), site.piece.numel, lane);
    return ReadSparse<T>(*this, payload, K(site.piece), site.piece.numel, lane);
  }

 private:
  size_t K(const Piece& piece) const { return ShareOf(amount_.Of(piece), piece); }

  Amount amount_;
  bool counted_;
};

}  // namespace

std::shared_ptr<const Compressor> MakeTopK(std::string_view argument) {
  const std::vector<std::string_view> parts = Split(argument, ':');
  const Amount amount = ParseAmount("topk", parts[0], argument);
  if (parts.size() > 2 || (parts.size() == 2 && parts[1] != "counted"))
    throw BadArgument("topk", argument, "nothing or counted behind the amount (topk:1%:counted)");
  return std::make_shared<TopK>(amount, parts.size() == 2);
}

}  // namespace gradwire
