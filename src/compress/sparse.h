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

/// Writes k of `numel` elements, in ascending order of position, to the begin of `out`.
template <typename T>
class SparseWriter {
 public:
  SparseWriter(size_t k, size_t numel, std::span<std::byte> out) : SparseWriter(PositionCode(k, numel), out) {}

  void Put(T value, size_t position) {
    StoreAt(out_, taken_++, value);
    positions_.Put(position);
  }

 private:
  SparseWriter(const PositionCode& code, std::span<std::byte> out)
      : out_(out), positions_(code, out.subspan(code.k * sizeof(T), code.bytes())) {}

  std::span<std::byte> out_;
  PositionWriter positions_;
  size_t taken_ = 0;
};

/// Calls take(position, value) for the k elements of a payload of SparseBytes. Throws PayloadError, which begins with
/// the operator's spec, unless positions ascend and are below numel.
template <typename T, typename Take>
void ForSparse(const Compressor& op, std::span<const std::byte> payload, size_t k, size_t numel, Take&& take) {
  try {
    ForPositions(PositionCode(k, numel), payload.subspan(k * sizeof(T)),
                 [&](size_t j, size_t position) { take(position, LoadAt<T>(payload, j)); });
  } catch (const PayloadError& error) {
    throw PayloadError(op.spec() + " payload: " + error.what());
  }
}

/// out += weight * the elements.
template <typename T>
void AddSparse(const Compressor& op, std::span<const std::byte> payload, size_t k, T weight, std::span<T> out) {
  ForSparse<T>(op, payload, k, out.size(), [&](size_t at, T value) { out[at] += weight * value; });
}

// Payloads of any number of kept elements: k (u32), then as above.

/// Upper bound; positions never take more than a bit for each element of the piece.
inline size_t CountedMostBytes(size_t numel, Dtype dtype) {
  return sizeof(uint32_t) + numel * SizeOf(dtype) + (numel + 7) / 8;
}

inline size_t CountedBytes(size_t k, size_t numel, Dtype dtype) {
  return sizeof(uint32_t) + SparseBytes(k, numel, dtype);
}

template <typename T>
SparseWriter<T> CountedWriter(size_t k, size_t numel, std::span<std::byte> out) {
  StoreAt(out, 0, static_cast<uint32_t>(k));
  return {k, numel, out.subspan(sizeof(uint32_t))};
}

/// out += weight * the elements. Throws PayloadError as ForSparse, and unless the size is that of k elements.
template <typename T>
void AddCounted(const Compressor& op, std::span<const std::byte> payload, T weight, std::span<T> out) {
  if (payload.size() < sizeof(uint32_t))
    throw PayloadError(op.spec() + " payload of " + std::to_string(payload.size()) + " bytes, too short for its count");
  const size_t k = LoadAt<uint32_t>(payload, 0);
  if (k > out.size() || payload.size() != CountedBytes(k, out.size(), kDtypeOf<T>))
    throw PayloadError(op.spec() + " payload of " + std::to_string(payload.size()) + " bytes for " + std::to_string(k) +
                       " of " + std::to_string(out.size()) + " elements");
  AddSparse(op, payload.subspan(sizeof(uint32_t)), k, weight, out);
}

}  // namespace gradwire
