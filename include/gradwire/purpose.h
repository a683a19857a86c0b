// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace gradwire {

/// What random bits are drawn for. Part of every key, so that two uses never share a stream: there is one for each
/// (seed, purpose, worker, round). The values are part of the format: payload bytes depend on them.
enum class Purpose : uint32_t {
  kCompress = 1,
  kShuffle = 2,
  kAugment = 3,
  kSynthetic = 4,
  kInit = 5,
  kSample = 6,
  kDown = 7,
  kCoin = 8,
  kLearn = 9,
  kNoise = 10,
  kParticipation = 11,
  kAgree = 12,
  kRest = 13,
  kMeet = 14,
  kAggregate = 18,
  kAttack = 19
};

}  // namespace gradwire
