// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "compress/operator.h"
#include "compress/spec.h"

namespace gradwire {
namespace {

/// C(x) = x: sizeof(T) bytes an element.
class Identity final : public Operator<Identity> {
 public:
  std::string spec() const override { return "identity"; }
  bool unbiased() const override { return true; }
  bool is_identity() const override { return true; }
  bool linear() const override { return true; }
  std::optional<double> omega(const Piece&) const override { return 0; }
  std::optional<double> delta(const Piece&) const override { return 1; }
  size_t Bytes(const Piece& piece, Dtype dtype) const override { return piece.numel * SizeOf(dtype); }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype, std::span<const std::byte>) const override {
    return rule.Numbers(piece.numel);
  }

  /// The payload is where u is made.
  template <typename T>
  EncodeResult EncodeSource(const Site&, Lane&, kernels::Source<T> source, std::span<std::byte> out) const {
    const std::span<T> left = std::exchange(source.left, {reinterpret_cast<T*>(out.data()), source.n});
    const bool finite = kernels::AddChecked(source);
    std::fill(left.begin(), left.end(), T{0});
    return {out.size(), finite};
  }

  template <typename T>
  void Add(const Site&, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    kernels::AddValues(payload.data(), T{1}, weight, out);
  }
};

}  // namespace

std::shared_ptr<const Compressor> MakeIdentity(std::string_view argument) {
  RefuseArgument("identity", argument);
  return std::make_shared<Identity>();
}

}  // namespace gradwire
