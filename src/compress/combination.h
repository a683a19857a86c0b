// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "compress/operator.h"

namespace gradwire {

using Part = std::shared_ptr<const Compressor>;

/// The operators of a combination "op(A, B, ...)": its arguments, cut at top-level commas. Throws ConfigError unless
/// there are `count` of them; `syntax` says what was expected.
std::vector<std::string_view> CutArguments(std::string_view op, std::string_view arguments, size_t count,
                                           std::string_view syntax);

/// The operator of one argument; its ConfigError says in which combination it stands.
Part ParsePart(std::string_view op, std::string_view arguments, std::string_view part);

/// "compressor 'op(arguments)': reason".
ConfigError BadCombination(std::string_view op, std::string_view arguments, std::string_view reason);

/// The site of part 0 or 1 of a combination: each draws its own bits. Parts of parts are numbered as in a binary heap,
/// so that all within one spec differ.
inline Site SiteOfPart(Site site, uint32_t part) {
  site.part = 2 * site.part + 1 + part;
  return site;
}

/// C(x) from its payload, into `out`.
template <typename T>
void DecodePart(const Compressor& part, const Site& site, Lane& lane, std::span<const std::byte> bytes, Into into,
                std::span<T> out) {
  const Payload payload{bytes, site.worker};
  const T one = 1;
  part.Decode(site, lane, {&payload, 1}, std::span(&one, 1), into, out);
}

/// The common body of operators that are made of others. A new one derives Combination<Itself> and writes
///     size_t EncodeParts(const Site&, Lane&, std::span<T> u, std::span<std::byte> out) const;   // may overwrite u
///     void DecodeParts(const Site&, Lane&, std::span<const std::byte> payload, std::span<T> out) const;   // out =
///     C(x)
/// C(x) is rounded once, here and at the receivers, before anything is subtracted from it or multiplies it.
template <typename Derived>
class Combination : public Operator<Derived> {
 public:
  template <typename T>
  size_t Compress(const Site& site, Lane& lane, std::span<T> u, std::span<std::byte> out) const {
    const std::span<T> x = lane.scratch.Take<T>(u.size()), sent = lane.scratch.Take<T>(u.size());
    std::copy(u.begin(), u.end(), x.begin());
    const size_t bytes = self().template EncodeParts<T>(site, lane, u, out);
    self().template DecodeParts<T>(site, lane, out.first(bytes), sent);
    for (size_t i = 0; i < u.size(); ++i) u[i] = x[i] - sent[i];
    return bytes;
  }

  template <typename T>
  void Add(const Site& site, Lane& lane, std::span<const std::byte> payload, T weight, std::span<T> out) const {
    const std::span<T> sent = lane.scratch.Take<T>(out.size());
    self().template DecodeParts<T>(site, lane, payload, sent);
    for (size_t i = 0; i < out.size(); ++i) out[i] += weight * sent[i];
  }

 private:
  const Derived& self() const { return static_cast<const Derived&>(*this); }
};

/// Those whose payload is that of their first part.
template <typename Derived>
class WithPayloadOfA : public Combination<Derived> {
 public:
  explicit WithPayloadOfA(Part a) : a_(std::move(a)) {}

  Scope scope() const override { return a_->scope(); }
  bool sees_shape() const override { return a_->sees_shape(); }
  bool variable() const override { return a_->variable(); }
  size_t Bytes(const Piece& piece, Dtype dtype) const override { return a_->Bytes(piece, dtype); }
  uint64_t PaperBits(const BitRule& rule, const Piece& piece, Dtype dtype,
                     std::span<const std::byte> payload) const override {
    return a_->PaperBits(rule, piece, dtype, payload);
  }

 protected:
  const Part a_;
};

}  // namespace gradwire
