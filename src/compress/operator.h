// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <type_traits>

#include "gradwire/compressor.h"
#include "gradwire/error.h"
#include "kernels/kernels.h"

namespace gradwire {

/// The common body of operators: a new one derives Operator<Itself> and writes, as templates over T,
///     void Compress(const Site&, Lane&, std::span<T> u, std::span<std::byte> out) const;   // u becomes u - C(u)
///     void Add(const Site&, Lane&, std::span<const std::byte> payload, T weight, std::span<T> out) const;
/// A variable() operator's Compress returns the bytes that it wrote.
/// Add checks the payload's contents (its size is checked here) and throws PayloadError. An operator that goes over
/// memory once has a template EncodeSource or DecodeAs of the same form, in place of Compress or Add.
template <typename Derived>
class Operator : public Compressor {
 public:
  EncodeResult Encode(const Site& site, Lane& lane, std::span<const float> v, float scale,
                      std::span<const float> residual_in, std::span<float> residual_out,
                      std::span<std::byte> out) const final {
    return self().template EncodeAs<float>(site, lane, v, scale, residual_in, residual_out, out);
  }
  EncodeResult Encode(const Site& site, Lane& lane, std::span<const double> v, double scale,
                      std::span<const double> residual_in, std::span<double> residual_out,
                      std::span<std::byte> out) const final {
    return self().template EncodeAs<double>(site, lane, v, scale, residual_in, residual_out, out);
  }
  void Decode(const Site& site, Lane& lane, std::span<const Payload> payloads, std::span<const float> weights,
              Into into, std::span<float> out) const final {
    self().template DecodeAs<float>(site, lane, payloads, weights, into, out);
  }
  void Decode(const Site& site, Lane& lane, std::span<const Payload> payloads, std::span<const double> weights,
              Into into, std::span<double> out) const final {
    self().template DecodeAs<double>(site, lane, payloads, weights, into, out);
  }

  template <typename T>
  EncodeResult EncodeAs(const Site& site, Lane& lane, std::span<const T> v, T scale, std::span<const T> residual_in,
                        std::span<T> residual_out, std::span<std::byte> out) const {
    const Scratch::Scope scope(lane.scratch);
    const kernels::Source<T> source = {site.piece.numel, v, scale, residual_in, residual_out};
    return self().template EncodeSource<T>(site, lane, source, out);
  }

  /// Add, then encode.
  template <typename T>
  EncodeResult EncodeSource(const Site& site, Lane& lane, kernels::Source<T> source, std::span<std::byte> out) const {
    if (source.left.empty()) source.left = lane.scratch.Take<T>(source.n);
    const bool finite = kernels::AddChecked(source);
    if constexpr (std::is_void_v<decltype(self().template Compress<T>(site, lane, source.left, out))>) {
      self().template Compress<T>(site, lane, source.left, out);
      return {out.size(), finite};
    } else {
      return {self().template Compress<T>(site, lane, source.left, out), finite};
    }
  }

  /// One payload after another: to be streamed, beside the result, which is then written once.
  template <typename T>
  void DecodeAs(const Site& site, Lane& lane, std::span<const Payload> payloads, std::span<const T> weights, Into into,
                std::span<T> out) const {
    const Scratch::Scope scope(lane.scratch);
    const std::span<T> sum = into == Into::kStream ? lane.scratch.Take<T>(out.size()) : out;
    if (into != Into::kAdd) std::fill(sum.begin(), sum.end(), T{0});
    ForEachOf<T>(site, payloads, [&](const Site& from, size_t r) {
      const Scratch::Scope of_payload(lane.scratch);
      self().template Add<T>(from, lane, payloads[r].bytes, weights[r], sum);
    });
    if (into == Into::kStream) kernels::StreamTo<T>(sum, out);
  }

 protected:
  /// Calls take(site, r) for each payload, with its sender's site, after its size was checked. Throws PeerError, which
  /// names the sender, for that and where `take` throws PayloadError.
  template <typename T, typename Take>
  void ForEachOf(const Site& site, std::span<const Payload> payloads, Take&& take) const {
    const size_t expected = Bytes(site.piece, kDtypeOf<T>);
    for (size_t r = 0; r < payloads.size(); ++r) {
      Site from = site;
      from.worker = payloads[r].worker;
      try {
        const size_t found = payloads[r].bytes.size();
        if (found > expected || (found < expected && !variable())) throw WrongSize(found, expected);
        take(from, r);
      } catch (const PayloadError& error) {
        throw PeerError(static_cast<int>(from.worker),
                        "from rank " + std::to_string(from.worker) + ": " + error.what());
      }
    }
  }

  /// Sums payloads by a kernel: sum(all) returns the place of the first one that is wrong, or how many there are.
  /// check(bytes) looks at each payload before, and throws PayloadError. `wrong` is what one is, behind its spec.
  template <typename T, typename Check, typename Sum>
  void SumCoded(const Site& site, Lane& lane, std::span<const Payload> payloads, std::span<const T> weights,
                Check&& check, const char* wrong, Sum&& sum) const {
    const Scratch::Scope scope(lane.scratch);
    const std::span<kernels::Coded<T>> all = lane.scratch.Take<kernels::Coded<T>>(payloads.size());
    ForEachOf<T>(site, payloads, [&](const Site&, size_t r) {
      check(payloads[r].bytes);
      all[r] = {payloads[r].bytes.data(), weights[r]};
    });
    if (const size_t found = sum(all); found < all.size())
      ForEachOf<T>(site, payloads.subspan(found, 1), [&](const Site&, size_t) { throw PayloadError(spec() + wrong); });
  }

 private:
  const Derived& self() const { return static_cast<const Derived&>(*this); }

  PayloadError WrongSize(size_t found, size_t expected) const {
    return PayloadError(spec() + " payload of " + std::to_string(found) + " bytes, expected " +
                        (variable() ? "at most " : "") + std::to_string(expected));
  }
};

/// The i-th element of packed values that need not be aligned for T.
template <typename T>
T LoadAt(std::span<const std::byte> bytes, size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

template <typename T>
void StoreAt(std::span<std::byte> bytes, size_t i, T value) {
  std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
}

/// delta of an operator in U(omega) as it is: 1 - omega, where that is above 0.
inline std::optional<double> ContractionOf(double omega) { return omega < 1 ? std::optional(1 - omega) : std::nullopt; }

}  // namespace gradwire
