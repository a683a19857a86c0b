// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "gradwire/scratch.h"

namespace gradwire::testing {

/// Fills a stretch so that a later look shows whether anybody else wrote into it.
struct Stretch {
  std::span<uint32_t> words;
  uint32_t mark;

  bool intact() const {
    return std::ranges::all_of(words, [&](uint32_t word) { return word == mark; });
  }
};

inline Stretch TakeMarked(Scratch& scratch, size_t n, uint32_t mark) {
  const std::span<uint32_t> words = scratch.Take<uint32_t>(n);
  std::ranges::fill(words, mark);
  return {words, mark};
}

}  // namespace gradwire::testing
