// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "compress/operator.h"
#include "wire/positions.h"

namespace gradwire {

// Payloads of kept elements: k values (T) in ascending order of position, then the positions (wire/positions.h).

inline size_t SparseBytes(size_t k, size_t numel, Dtype dtype) {
  return k * SizeOf(dtype) + PositionCode(k, numel).bytes();
}

/// Writes kept elements of `numel`, in ascending order of position, to the begin of `out`.
template <typename T>
void WriteSparse(std::span<const T> values, std::span<const uint32_t> positions, size_t numel,
                 std::span<std::byte> out) {
  const PositionCode code(positions.size(), numel);
  std::ranges::copy(std::as_bytes(values), out.begin());
  WritePositions(code, positions, out.subspan(values.size_bytes(), code.bytes()));
}

using kernels::Kept;

/// Reads a payload of SparseBytes; positions lie in the lane's scratch, values in the payload. Throws PayloadError,
/// which begins with the operator's spec, unless positions ascend and are below numel.
template <typename T>
Kept<T> ReadSparse(const Compressor& op, std::span<const std::byte> payload, size_t k, size_t numel, Lane& lane) {
  const auto positions = lane.scratch.Take<uint32_t>(k + kPositionSlack);
  try {
    ReadPositions<T>(PositionCode(k, numel), payload.subspan(k * sizeof(T)), positions);
  } catch (const PayloadError& error) {
    throw PayloadError(op.spec() + " payload: " + error.what());
  }
  return {positions.data(), payload.data(), k, 1, 1};
}

// Payloads of any number of kept elements: k (u32), then as above.

/// Upper bound for up to `most` of them; positions never take more than a bit for each element of the piece.
inline size_t CountedMostBytes(size_t most, size_t numel, Dtype dtype) {
  return sizeof(uint32_t) + most * SizeOf(dtype) + (numel + 7) / 8;
}

inline size_t CountedBytes(size_t k, size_t numel, Dtype dtype) {
  return sizeof(uint32_t) + SparseBytes(k, numel, dtype);
}

/// k of such a payload of this process.
inline size_t CountIn(std::span<const std::byte> payload) { return LoadAt<uint32_t>(payload, 0); }

/// Returns the bytes.
template <typename T>
size_t WriteCounted(std::span<const T> values, std::span<const uint32_t> positions, size_t numel,
                    std::span<std::byte> out) {
  StoreAt(out, 0, static_cast<uint32_t>(values.size()));
  WriteSparse(values, positions, numel, out.subspan(sizeof(uint32_t)));
  return CountedBytes(values.size(), numel, kDtypeOf<T>);
}

/// Throws PayloadError as ReadSparse, and unless k is at most `most` and the size is that of k elements.
template <typename T>
Kept<T> ReadCounted(const Compressor& op, std::span<const std::byte> payload, size_t most, size_t numel, Lane& lane) {
  if (payload.size() < sizeof(uint32_t))
    throw PayloadError(op.spec() + " payload of " + std::to_string(payload.size()) + " bytes, too short for its count");
  const size_t k = LoadAt<uint32_t>(payload, 0);
  if (k > most || payload.size() != CountedBytes(k, numel, kDtypeOf<T>))
    throw PayloadError(op.spec() + " payload of " + std::to_string(payload.size()) + " bytes for " + std::to_string(k) +
                       " of " + std::to_string(numel) + " elements");
  return ReadSparse<T>(op, payload.subspan(sizeof(uint32_t)), k, numel, lane);
}

/// The common body of operators whose payloads are kept elements. A new one derives SparseOperator<Itself> and writes,
/// in place of Add,
///     template <typename T> Kept<T> Read(const Site&, Lane&, std::span<const std::byte> payload) const;
template <typename Derived>
class SparseOperator : public Operator<Derived> {
 public:
  template <typename T>
  void DecodeAs(const Site& site, Lane& lane, std::span<const Payload> payloads, std::span<const T> weights, Into into,
                std::span<T> out) const {
    const Scratch::Scope scope(lane.scratch);
    const auto all = lane.scratch.Take<Kept<T>>(payloads.size());
    this->template ForEachOf<T>(site, payloads, [&](const Site& from, size_t r) {
      if (r + 1 < payloads.size()) Fetch(payloads[r + 1].bytes);  // while this one is read
      all[r] = static_cast<const Derived&>(*this).template Read<T>(from, lane, payloads[r].bytes);
      all[r].weight = weights[r];
    });
    kernels::SumKept<T>(all, into, out);
  }

 private:
  /// As far as fits the first-level cache beside others: of a long one the rest comes by itself.
  static void Fetch(std::span<const std::byte> bytes) {
    for (size_t at = 0; at < std::min<size_t>(bytes.size(), 4096); at += 64) __builtin_prefetch(bytes.data() + at);
  }
};

}  // namespace gradwire
