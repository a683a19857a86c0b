// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "compress/operator.h"
#include "compress/spec.h"
#include "compress/stream.h"

namespace gradwire {
namespace {

/// x / p with probability p, else nothing (Richtarik et al., ICML 2022, arXiv 2202.00998): omega = 1/p - 1 exactly.
/// Both ends know the coin.
/// Payload: no bytes, or all elements (T), bits untouched.
class Bernoulli final : public Operator<Bernoulli> {
 public:
  explicit Bernoulli(double p) : p_(p) {}

  std::string spec() const override { return fmt::format("bernoulli:{}", p_); }
  bool unbiased() const override { return true; }
  std::optional<double> omega(const Piece&) const override { return 1 / p_ - 1; }
  std::optional<double> delta(const Piece& piece) const override { return ContractionOf(*omega(piece)); }
  bool variable() const override { return true; }
  size_t Bytes(const Piece& piece, Dtype dtype) const override { return piece.numel * SizeOf(dtype); }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype,
                     std::span<const std::byte> payload) const override {
    return (piece.numel ? 1 : 0) + (payload.empty() ? 0 : rule.Numbers(piece.numel));  // whether they come, and they
  }

  template <typename T>
  size_t Compress(const Site& site, Lane&, std::span<T> u, std::span<std::byte> out) const {
    if (u.empty() || !Sends(site)) return 0;
    std::memcpy(out.data(), u.data(), u.size_bytes());
    const T scale = static_cast<T>(1 / p_);
    for (T& x : u) x -= scale * x;
    return u.size_bytes();
  }

  template <typename T>
  void Add(const Site& site, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    const bool sends = Sends(site);
    if (payload.size() != (sends ? out.size_bytes() : 0))
      throw PayloadError(spec() + " payload of " + std::to_string(payload.size()) + " bytes, but its coin says " +
                         (sends ? "all elements" : "nothing"));
    if (sends) kernels::AddValues(payload.data(), static_cast<T>(1 / p_), weight, out);
  }

 private:
  bool Sends(const Site& site) const {
    Philox random = StreamOf(site);
    return random.Uniform() < p_;
  }

  double p_;
};

}  // namespace

std::shared_ptr<const Compressor> MakeBernoulli(std::string_view argument) {
  const auto p = ReadNumber(argument);
  if (!p || *p <= 0 || *p > 1)
    throw BadArgument("bernoulli", argument, "a probability above 0 and up to 1 (bernoulli:0.1)");
  return std::make_shared<Bernoulli>(*p);
}

}  // namespace gradwire
