// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include <Random123/philox.h>

#include "base/draws.h"
#include "gradwire/purpose.h"

namespace gradwire {

/// Counter-based random numbers, Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
/// A stream is a pure function of (seed, purpose, a, b): the same on every instruction set, thread count and device.
/// Cheap to construct; not thread-safe (each thread makes its own).
class Philox {
 public:
  /// `a` and `b` name the stream within its purpose, e.g. (worker, step) or (epoch, sample).
  Philox(uint64_t seed, Purpose purpose, uint64_t a = 0, uint64_t b = 0)
      : key_{{static_cast<uint32_t>(seed) ^ static_cast<uint32_t>(purpose) * 0x9E3779B9u,
              static_cast<uint32_t>(seed >> 32) ^ static_cast<uint32_t>(a >> 32) * 0x85EBCA6Bu}},
        counter_{{0, static_cast<uint32_t>(a), static_cast<uint32_t>(b), static_cast<uint32_t>(b >> 32)}} {}

  /// What names the stream: draws of elements are taken by it from a generator of fewer rounds.
  Draws draws() const { return {{key_[0], key_[1]}, {counter_[1], counter_[2], counter_[3]}}; }

  /// 32 uniform bits.
  uint32_t Next() {
    if (used_ == 4) {
      block_ = r123::Philox4x32{}(counter_, key_);
      ++counter_[0];
      used_ = 0;
    }
    return block_[used_++];
  }

  /// Uniform in [0, bound) without bias; bound > 0. (Lemire, "Fast random integer generation in an interval", 2019.)
  uint32_t Below(uint32_t bound) {
    uint64_t product = uint64_t{Next()} * bound;
    if (static_cast<uint32_t>(product) < bound) {
      const uint32_t threshold = -bound % bound;
      while (static_cast<uint32_t>(product) < threshold) product = uint64_t{Next()} * bound;
    }
    return static_cast<uint32_t>(product >> 32);
  }

  /// Uniform in [0, 1) with 53 bits.
  double Uniform() {
    const uint64_t high = Next() >> 5, low = Next() >> 6;
    return static_cast<double>(high * 67108864 + low) * 0x1p-53;
  }

 private:
  r123::Philox4x32::key_type key_;
  r123::Philox4x32::ctr_type counter_;
  r123::Philox4x32::ctr_type block_{};
  unsigned used_ = 4;
};

/// A coin of a round that all ranks toss alike: heads with probability p. Of another purpose, another coin.
inline bool SharedCoin(uint64_t seed, uint64_t step, double p, Purpose purpose = Purpose::kCoin) {
  return Philox(seed, purpose, 0, step).Uniform() < p;
}

}  // namespace gradwire
