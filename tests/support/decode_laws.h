// SPDX-License-Identifier: Apache-2.0
#pragma once

// What include/gradwire/compressor.h promises of Decode, for any operator. Each law returns what it saw broken, or
// nothing.

#include <limits>
#include <string>

#include "gradwire/error.h"
#include "support/operators.h"

namespace gradwire::testing {

/// Payloads of three workers for the same piece: x, x backwards and -x/2.
template <typename T>
std::vector<std::vector<std::byte>> ThreePayloads(const Compressor& compressor, const PieceCase<T>& c) {
  std::vector<std::vector<std::byte>> payloads;
  const std::vector<T> backwards(c.x.rbegin(), c.x.rend());
  const auto encode = [&](uint32_t worker, const std::vector<T>& v, T scale) {
    Site site = c.site;
    site.worker = worker;
    payloads.push_back(Encode(compressor, site, v, scale).bytes);
  };
  encode(0, c.x, T(1)), encode(1, backwards, T(1)), encode(2, c.x, T(-0.5));
  return payloads;
}

/// Several payloads in one call give the bits of one call each in the same order, whatever site.worker is;
/// Into::kWrite and kStream forget what lay in out.
template <typename T>
std::string PayloadsAddUpInOrder(const Compressor& compressor, const PieceCase<T>& c) {
  const auto bytes = ThreePayloads(compressor, c);
  const std::vector<T> weights = {T(0.25), T(1) / 3, T(-0.125)};
  std::vector<Payload> payloads;
  for (const uint32_t worker : {0, 1, 2}) payloads.push_back({bytes[worker], worker});
  std::vector<T> one_by_one(c.x.size()), at_once(c.x.size(), std::numeric_limits<T>::quiet_NaN()), kept(c.x.size());
  Lane lane;
  for (size_t r = 0; r < payloads.size(); ++r) {
    Site site = c.site;
    site.worker = payloads[r].worker;
    compressor.Decode(site, lane, {&payloads[r], 1}, std::span(weights).subspan(r, 1), Into::kAdd, one_by_one);
  }
  compressor.Decode(c.site, lane, payloads, std::span<const T>(weights), Into::kWrite, at_once);
  if (!SameBits(at_once, one_by_one)) return "three payloads in one call differ from one call each";
  compressor.Decode(c.site, lane, payloads, std::span<const T>(weights), Into::kAdd, kept);
  if (!SameBits(kept, one_by_one)) return "Into::kAdd onto zeros differs from Into::kWrite";
  compressor.Decode(c.site, lane, {}, std::span<const T>{}, Into::kAdd, kept);
  if (!SameBits(kept, one_by_one)) return "no payloads, Into::kAdd: out changed";
  for (const size_t offset : {0, 1}) {  // streaming stores need aligned places; others are written as ever
    std::vector<T> streamed(c.x.size() + 1, std::numeric_limits<T>::quiet_NaN());
    compressor.Decode(c.site, lane, payloads, std::span<const T>(weights), Into::kStream,
                      std::span(streamed).subspan(offset, c.x.size()));
    if (!SameBits(std::vector<T>(streamed.begin() + static_cast<std::ptrdiff_t>(offset),
                                 streamed.end() - 1 + static_cast<std::ptrdiff_t>(offset)),
                  one_by_one))
      return "Into::kStream differs from Into::kWrite";
  }
  compressor.Decode(c.site, lane, {}, std::span<const T>{}, Into::kWrite, kept);
  if (std::ranges::any_of(kept, [](T value) { return value != 0; })) return "no payloads, Into::kWrite: out is not 0";
  return {};
}

/// Decode adds weight * C(x): exactly for powers of two, else rounded (2 units: a factor may be scaled before the
/// other).
template <typename T>
std::string WeightsMultiply(const Compressor& compressor, const PieceCase<T>& c) {
  const std::vector<std::byte> bytes = Encode(compressor, c.site, c.x).bytes;
  const std::vector<T> plain = Decode<T>(compressor, c.site, bytes),
                       half = Decode<T>(compressor, c.site, bytes, T(0.5)),
                       third = Decode<T>(compressor, c.site, bytes, T(-1) / 3),
                       none = Decode<T>(compressor, c.site, bytes, T(0));
  for (size_t i = 0; i < plain.size(); ++i) {
    const T wanted = T(-1) / 3 * plain[i];
    const T allowed = 2 * std::numeric_limits<T>::epsilon() * std::abs(wanted) + std::numeric_limits<T>::denorm_min();
    const bool holds = half[i] == T(0.5) * plain[i] && std::abs(third[i] - wanted) <= allowed && none[i] == 0;
    if (!holds)
      return "element " + std::to_string(i) + ": C(x) = " + std::to_string(plain[i]) + ", times 1/2 " +
             std::to_string(half[i]) + ", times -1/3 " + std::to_string(third[i]);
  }
  return {};
}

/// What Decode made of bytes that nobody encoded: refused, naming the worker, or taken; never a write outside out.
enum class Verdict { kRefused, kTaken, kBroken };

template <typename T>
Verdict DecodeForeign(const Compressor& compressor, const Site& site, std::span<const std::byte> bytes) {
  constexpr uint32_t kWorker = 2;
  const std::vector<std::byte> exact(bytes.begin(), bytes.end());  // its own memory: a sanitizer sees reads beyond
  const Payload payload{exact, kWorker};
  std::vector<T> out(site.piece.numel + 2, T(7));  // an element on either side that nobody may touch
  const T weight = T(0.5);
  Verdict verdict = Verdict::kTaken;
  Lane lane;
  try {
    compressor.Decode(site, lane, {&payload, 1}, std::span<const T>(&weight, 1), Into::kWrite,
                      std::span(out).subspan(1, site.piece.numel));
  } catch (const PeerError& error) {
    const bool names = error.rank() == kWorker && std::string(error.what()).find("rank 2") != std::string::npos;
    verdict = names ? Verdict::kRefused : Verdict::kBroken;
  }
  return out.front() == T(7) && out.back() == T(7) ? verdict : Verdict::kBroken;
}

}  // namespace gradwire::testing
