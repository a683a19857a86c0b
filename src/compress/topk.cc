// SPDX-License-Identifier: Apache-2.0
#include "compress/sparse.h"
#include "compress/spec.h"

namespace gradwire {
namespace {

/// The k elements of largest magnitude, ties to the lowest index (Aji & Heafield, "Sparse communication for distributed
/// gradient descent", EMNLP 2017). k is counted per parameter and shared over its pieces.
/// Payload: the kept elements (compress/sparse.h).
class TopK final : public Operator<TopK> {
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

  template <typename T>
  void Compress(const Site& site, Lane& lane, std::span<T> u, std::span<std::byte> out) const {
    const size_t k = K(site.piece);
    if (k == 0) return;
    const auto words = lane.scratch.Take<typename kernels::Bits<T>::Word>(u.size());
    const auto positions = lane.scratch.Take<uint32_t>(k);
    kernels::TakeTopK<T>(u, kernels::TopKThreshold<T>(u, k, words), out.data(), positions.data());
    const PositionCode code(k, u.size());
    PositionWriter writer(code, out.subspan(k * sizeof(T), code.bytes()));
    for (const uint32_t position : positions) writer.Put(position);
  }

  template <typename T>
  void Add(const Site& site, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    AddSparse(*this, payload, K(site.piece), weight, out);
  }

 private:
  size_t K(const Piece& piece) const { return ShareOf(amount_.Of(piece.parameter_numel), piece); }

  Amount amount_;
};

}  // namespace

std::shared_ptr<const Compressor> MakeTopK(std::string_view argument) {
  return std::make_shared<TopK>(ParseAmount("topk", argument, argument));
}

}  // namespace gradwire
