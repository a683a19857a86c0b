// SPDX-License-Identifier: Apache-2.0
#include "compress/operator.h"
#include "compress/spec.h"
#include "kernels/topk.h"

namespace gradwire {
namespace {

/// The k elements of largest magnitude, ties to the lowest index (METHODS O5; Aji & Heafield, "Sparse communication for
/// distributed gradient descent", EMNLP 2017). k is counted per parameter and shared over its pieces.
/// Payload: k values (T) in ascending order of position, then k positions of 16 bits (32 in pieces above 65,536).
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
  size_t Bytes(const Piece& piece, Dtype dtype) const override {
    return K(piece) * (SizeOf(dtype) + (Wide(piece) ? 4 : 2));
  }

  template <typename T>
  void Compress(const Site& site, Lane& lane, std::span<T> u, std::span<std::byte> out) const {
    if (Wide(site.piece)) CompressAs<T, uint32_t>(K(site.piece), lane, u, out);
    else CompressAs<T, uint16_t>(K(site.piece), lane, u, out);
  }

  template <typename T>
  void Add(const Site& site, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    if (Wide(site.piece)) AddAs<T, uint32_t>(K(site.piece), payload, weight, out);
    else AddAs<T, uint16_t>(K(site.piece), payload, weight, out);
  }

 private:
  static bool Wide(const Piece& piece) { return piece.numel > 65536; }
  size_t K(const Piece& piece) const { return ShareOf(amount_.Of(piece.parameter_numel), piece); }

  template <typename T, typename Position>
  void CompressAs(size_t k, Lane& lane, std::span<T> u, std::span<std::byte> out) const {
    if (k == 0) return;
    const auto words = lane.scratch.Take<typename kernels::Bits<T>::Word>(u.size());
    const auto threshold = kernels::TopKThreshold<T>(u, k, words);
    const std::span<std::byte> positions = out.subspan(k * sizeof(T));
    size_t taken = 0;
    kernels::ForTopK<T>(u, threshold, [&](size_t i) {
      StoreAt(out, taken, u[i]);
      StoreAt(positions, taken, static_cast<Position>(i));
      u[i] = 0;
      ++taken;
    });
  }

  template <typename T, typename Position>
  void AddAs(size_t k, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    const std::span<const std::byte> positions = payload.subspan(k * sizeof(T));
    size_t next = 0;  // the smallest position that may come
    for (size_t j = 0; j < k; ++j) {
      const size_t at = LoadAt<Position>(positions, j);
      if (at < next || at >= out.size())
        throw PayloadError(spec() + " payload whose position " + std::to_string(j) + " is " + std::to_string(at) +
                           ", expected " + std::to_string(next) + ".." + std::to_string(out.size() - 1));
      next = at + 1;
      out[at] += weight * LoadAt<T>(payload, j);
    }
  }

  Amount amount_;
};

}  // namespace

std::shared_ptr<const Compressor> MakeTopK(std::string_view argument) {
  return std::make_shared<TopK>(ParseAmount("topk", argument, argument));
}

}  // namespace gradwire
