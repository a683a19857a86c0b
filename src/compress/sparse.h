// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "compress/operator.h"

namespace gradwire {

/// Payloads of kept elements: k values (T) in ascending order of position, then k positions of 16 bits, or of 32 in
/// pieces above 65,536.
struct SparseLayout {
  explicit SparseLayout(size_t numel) : numel(numel), position_bytes(numel > 65536 ? 4 : 2) {}

  template <typename T>
  size_t Bytes(size_t k) const {
    return k * (sizeof(T) + position_bytes);
  }

  /// Writes element j of k.
  template <typename T>
  void Store(std::span<std::byte> out, size_t k, size_t j, T value, size_t position) const {
    StoreAt(out, j, value);
    const std::span<std::byte> positions = out.subspan(k * sizeof(T));
    if (position_bytes == 2)
      StoreAt(positions, j, static_cast<uint16_t>(position));
    else
      StoreAt(positions, j, static_cast<uint32_t>(position));
  }

  /// out += weight * the elements. Throws PayloadError, which begins with the operator's spec, unless positions ascend
  /// and are below numel.
  template <typename T>
  void Add(const Compressor& op, std::span<const std::byte> payload, size_t k, T weight, std::span<T> out) const {
    const std::span<const std::byte> positions = payload.subspan(k * sizeof(T));
    size_t next = 0;  // the smallest position that may come
    for (size_t j = 0; j < k; ++j) {
      const size_t at = position_bytes == 2 ? LoadAt<uint16_t>(positions, j) : LoadAt<uint32_t>(positions, j);
      if (at < next || at >= numel)
        throw PayloadError(op.spec() + " payload whose position " + std::to_string(j) + " is " + std::to_string(at) +
                           ", expected " + std::to_string(next) + ".." + std::to_string(numel - 1));
      next = at + 1;
      out[at] += weight * LoadAt<T>(payload, j);
    }
  }

  /// The k of a payload that may hold any number of elements.
  template <typename T>
  size_t CountIn(const Compressor& op, std::span<const std::byte> payload) const {
    if (payload.size() % Bytes<T>(1) != 0)
      throw PayloadError(op.spec() + " payload of " + std::to_string(payload.size()) +
                         " bytes, expected a multiple of " + std::to_string(Bytes<T>(1)));
    return payload.size() / Bytes<T>(1);
  }

  size_t numel, position_bytes;
};

}  // namespace gradwire
