// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace gradwire {

/// Payloads start at multiples of this, counted from the start of the message.
inline constexpr size_t kPayloadAlignment = 16;

constexpr size_t AlignPayload(size_t bytes) {
  return (bytes + kPayloadAlignment - 1) / kPayloadAlignment * kPayloadAlignment;
}

/// The frame before the payloads of a message. Little-endian; src/wire/FORMAT.md is the normative description.
struct Frame {
  static constexpr uint32_t kMagic = 0x31525747;  // "GWR1" as bytes
  static constexpr uint16_t kVersion = 4;
  static constexpr uint16_t kPoisoned = 1;  ///< flag: the sender's bucket had a non-finite element
  static constexpr uint16_t kDown = 2;      ///< flag: an owner's result on its way back, not a worker's gradient

  uint32_t magic = kMagic;
  uint16_t version = kVersion;
  uint16_t flags = 0;
  uint64_t token = 0;  ///< the job's: drawn at start, mixed with the settings
  uint64_t step = 0;
  uint32_t channel = 0;  ///< which vector of the step; 0: the gradient
  uint32_t bucket = 0;
  uint32_t sender = 0;
  uint32_t rates = 0;             ///< hash of the step sizes where they are inside; 0: says nothing of them
  uint64_t size = 0;              ///< bytes after the frame
  uint64_t layout = 0;            ///< hash of the bucket's segments and payload sizes
  uint64_t checksum = 0;          ///< XXH3-64 of the bytes after the frame, seeded with flags and rates
  std::array<uint64_t, 2> tag{};  ///< room for a code that authenticates the message; zeros
};
static_assert(sizeof(Frame) == 80 && sizeof(Frame) % kPayloadAlignment == 0);

/// Fills size and checksum from `message` (frame and payloads) and writes `frame` at its start.
void Seal(Frame frame, std::span<std::byte> message);

/// The frame of a received message, after every field was compared with what was expected (except whether it is
/// poisoned, and the rates where the sender says nothing of them, or any are taken). Throws PeerError naming the
/// sender, the bucket, the field, what it holds and what was expected.
Frame Open(std::span<const std::byte> message, const Frame& expected, bool takes_any_rates = false);

}  // namespace gradwire
