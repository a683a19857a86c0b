// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/philox.h"
#include "gradwire/site.h"

namespace gradwire {

/// The random bits of a site, the only ones that an operator may draw. Its names (worker, part, parameter, piece) are
/// first mixed by Philox itself, into 128 bits; these and the step are the key and the counter of the stream. Philox is
/// a bijection for one key, so two sites of the same seed, purpose and part share no stream (for steps below 2^32), and
/// others only if 128 bits agree by chance. Part of the format: payload bytes depend on it.
inline Philox StreamOf(const Site& site) {
  const auto pair = [](uint32_t low, uint32_t high) { return low | uint64_t{high} << 32; };
  Philox names(site.seed, site.purpose, pair(site.worker, site.part), pair(site.parameter, site.piece.index));
  const uint32_t w0 = names.Next(), w1 = names.Next(), w2 = names.Next(), w3 = names.Next();
  return {pair(w0, w1), site.purpose, w2, site.step ^ pair(0, w3)};
}

/// Coins that all workers toss alike: the stream of a worker that cannot be.
inline Philox CommonStreamOf(Site site) {
  site.worker = 0xffffffff;
  return StreamOf(site);
}

/// The draws of the elements of a site's piece, one an element at a place of its own. An operator takes these or the
/// stream, not both.
inline Draws DrawsOf(const Site& site) { return StreamOf(site).draws(); }

}  // namespace gradwire
