// SPDX-License-Identifier: Apache-2.0
#include "wire/wire.h"

#include <bit>
#include <cstring>
#include <string>

#include <fmt/format.h>
#include <xxhash.h>

#include "base/text.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

static_assert(std::endian::native == std::endian::little, "the wire is little-endian; a big-endian port must swap");

/// Seeded with flags and rates, the only fields that a receiver cannot always compare with what it expects.
uint64_t Checksum(std::span<const std::byte> message, const Frame& frame) {
  return XXH3_64bits_withSeed(message.data() + sizeof(Frame), message.size() - sizeof(Frame),
                              frame.flags | uint64_t{frame.rates} << 32);
}

[[noreturn]] void Refuse(const Frame& expected, const std::string& what) {
  throw PeerError(static_cast<int>(expected.sender),
                  fmt::format("message from rank {}, bucket {}, step {}{}: {}", expected.sender, expected.bucket,
                              expected.step, InChannel(expected.channel), what));
}

template <typename V>
void Match(const Frame& expected, const char* field, V found, V wanted, const char* meaning) {
  if (found != wanted) Refuse(expected, fmt::format("{} is {:#x}, expected {:#x}: {}", field, found, wanted, meaning));
}

}  // namespace

void Seal(Frame frame, std::span<std::byte> message) {
  frame.size = message.size() - sizeof(Frame);
  frame.checksum = Checksum(message, frame);
  std::memcpy(message.data(), &frame, sizeof(Frame));
}

Frame Open(std::span<const std::byte> message, const Frame& expected, bool takes_any_rates) {
  if (message.size() < sizeof(Frame))
    Refuse(expected, fmt::format("truncated: {} bytes, a frame alone has {}", message.size(), sizeof(Frame)));
  Frame frame;
  std::memcpy(&frame, message.data(), sizeof(Frame));
  Match(expected, "magic", frame.magic, Frame::kMagic, "these are not gradwire's bytes");
  Match(expected, "version", frame.version, Frame::kVersion, "the ranks run different versions of gradwire");
  Match(expected, "token", frame.token, expected.token, "the message belongs to another job, or to other settings");
  Match(expected, "sender", frame.sender, expected.sender, "the message was routed wrongly");
  Match(expected, "step", frame.step, expected.step, "the ranks are out of step");
  Match(expected, "channel", frame.channel, expected.channel, "the ranks exchange other vectors at the same time");
  Match(expected, "bucket", frame.bucket, expected.bucket, "the ranks' buckets became ready in different orders");
  Match(expected, "layout", frame.layout, expected.layout, "the ranks' buckets hold different parameters");
  Match(expected, "flags", static_cast<uint16_t>(frame.flags & ~Frame::kPoisoned), expected.flags,
        "another direction, or a newer format");
  Match(expected, "size", frame.size, static_cast<uint64_t>(message.size() - sizeof(Frame)), "truncated or too long");
  for (const uint64_t half : frame.tag)
    Match(expected, "tag", half, uint64_t{0}, "this version authenticates no messages");
  Match(expected, "checksum", frame.checksum, Checksum(message, frame), "the bytes were damaged on the way");
  if (frame.rates != 0 && !takes_any_rates)
    Match(expected, "rates", frame.rates, expected.rates,
          "the ranks' step sizes differ; expected the same learning rate of a parameter on every rank, e.g. from one "
          "schedule, and not from a rank's own loss");
  return frame;
}

}  // namespace gradwire
