// SPDX-License-Identifier: Apache-2.0
#include "compress/sparse.h"
#include "compress/spec.h"
#include "compress/stream.h"
#include "kernels/sample.h"

namespace gradwire {
namespace {

struct RandKOptions {
  bool common = false;    ///< one draw for all workers
  bool unscaled = false;  ///< kept elements as they are: contractive in place of unbiased
  bool sent = false;      ///< positions travel
};

/// k of d elements, uniform among all subsets, times d/k (Stich, Cordonnier & Jaggi, "Sparsified SGD with memory",
/// NeurIPS 2018). k is counted per parameter and shared over its pieces.
/// Both ends draw the positions from the site, so only the values travel. Payload: k values (T), bits untouched, in
/// ascending order of position. With `sent` the positions follow (compress/sparse.h), for receivers that do not share
/// the seed.
///
/// Each worker tosses its own coins, and omega counts 1/n in a mean over n workers. With `common` all workers keep the
/// same positions: the operator is linear, and the mean over the workers has the whole omega.
class RandK final : public Operator<RandK> {
 public:
  RandK(Amount amount, RandKOptions options) : amount_(amount), options_(options) {}

  std::string spec() const override {
    return "randk:" + amount_.text() + (options_.common ? ":common" : "") + (options_.unscaled ? ":unscaled" : "") +
           (options_.sent ? ":sent" : "");
  }
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

  template <typename T>
  void Compress(const Site& site, Lane& lane, std::span<T> u, std::span<std::byte> out) const {
    const T scale = Scale<T>(site.piece);
    const auto keep = [&](auto&& put) {
      kernels::ForSet(Draw(site, lane), [&](size_t i) {
        put(u[i], i);
        u[i] -= scale * u[i];
      });
    };
    if (options_.sent) {
      SparseWriter<T> writer(K(site.piece), u.size(), out);
      keep([&](T value, size_t i) { writer.Put(value, i); });
    } else {
      size_t taken = 0;
      keep([&](T value, size_t) { StoreAt(out, taken++, value); });
    }
  }

  template <typename T>
  void Add(const Site& site, Lane& lane, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    const T scale = Scale<T>(site.piece);
    const auto add = [&](size_t i, T value) { out[i] += weight * (scale * value); };
    if (options_.sent) return ForSparse<T>(*this, payload, K(site.piece), out.size(), add);
    size_t taken = 0;
    kernels::ForSet(Draw(site, lane), [&](size_t i) { add(i, LoadAt<T>(payload, taken++)); });
  }

 private:
  size_t K(const Piece& piece) const { return ShareOf(amount_.Of(piece.parameter_numel), piece); }
  /// k/d.
  double Share(const Piece& piece) const {
    return piece.numel ? static_cast<double>(K(piece)) / static_cast<double>(piece.numel) : 1;
  }
  template <typename T>
  T Scale(const Piece& piece) const {
    if (options_.unscaled || piece.numel == 0) return 1;
    return static_cast<T>(static_cast<double>(piece.numel) / static_cast<double>(K(piece)));
  }

  std::span<const uint64_t> Draw(const Site& site, Lane& lane) const {
    Philox random = options_.common ? CommonStreamOf(site) : StreamOf(site);
    const auto set = lane.scratch.Take<uint64_t>(kernels::SetWords(site.piece.numel));
    kernels::SampleSubset(random, site.piece.numel, K(site.piece), set);
    return set;
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
