// SPDX-License-Identifier: Apache-2.0
#include "compress/largest.h"
#include "compress/sparse.h"
#include "compress/spec.h"

namespace gradwire {
namespace {

/// The k elements of largest magnitude, ties to the lowest index (Aji & Heafield, "Sparse communication for distributed
/// gradient descent", EMNLP 2017). k is counted per parameter and shared over its pieces.
/// Payload: the kept elements (compress/sparse.h).
class TopK final : public SparseOperator<TopK> {
 public:
  explicit TopK(Amount amount) : amount_(amount) {}

  std::string spec() const override { return "topk:" + amount_.text(); }
  bool unbiased() const override { return false; }
  std::optional<double> omega(const Piece&) const override { return std::nullopt; }
  /// k/d, attained where all magnitudes are equal.
  std::optional<double> delta(const Piece& piece) const override {
    return piece.numel ? static_cast<double>(K(piece)) / static_cast<double>(piece.numel) : 1;
  }
  size_t Bytes(const Piece& piece, Dtype dtype) const override { return SparseBytes(K(piece), piece.numel, dtype); }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype, std::span<const std::byte>) const override {
    return rule.Numbers(K(piece)) + rule.Positions(K(piece), piece.numel);
  }

  template <typename T>
  EncodeResult EncodeSource(const Site& site, Lane& lane, const kernels::Source<T>& source,
                            std::span<std::byte> out) const {
    const size_t k = K(site.piece);
    bool finite = true;
    const auto top = Largest(lane, source, k, GuessLeast(source, k), finite);
    const std::span<const uint32_t> positions(top.positions, top.count);
    WriteSparse<T>({top.values, top.count}, positions, source.n, out);
    if (!source.left.empty())
      for (const uint32_t position : positions) source.left[position] = 0;
    return {out.size(), finite};
  }

  template <typename T>
  Kept<T> Read(const Site& site, Lane& lane, std::span<const std::byte> payload) const {
    return ReadSparse<T>(*this, payload, K(site.piece), site.piece.numel, lane);
  }

 private:
  size_t K(const Piece& piece) const { return ShareOf(amount_.Of(piece), piece); }

  Amount amount_;
};

}  // namespace

std::shared_ptr<const Compressor> MakeTopK(std::string_view argument) {
  return std::make_shared<TopK>(ParseAmount("topk", argument, argument));
}

}  // namespace gradwire
