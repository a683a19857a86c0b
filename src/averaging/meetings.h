// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "averaging/registry.h"

namespace gradwire {

/// Bounds what memory and numbers of groups allow.
inline constexpr size_t kMostPeers = size_t{1} << 24;

/// Peers by number, ascending.
using Group = std::vector<uint32_t>;

/// Who meets whom: a rule that puts each peer into one group in every round. What it draws is common to all, so that
/// every peer knows its own group from the seed and the round, or from what a registry says. Not thread-safe.
class Meetings {
 public:
  virtual ~Meetings() = default;
  /// The groups of the next round, in an order of the rule's; valid until the next call.
  virtual const std::vector<Group>& Next() = 0;
};

/// All in one.
std::unique_ptr<Meetings> MakeOneGroup(size_t peers);

/// max(1, floor(peers / size)) groups at random, whose sizes differ by at most one: `size` peers or more, unless there
/// are fewer. A round multiplies E mean_i ||x_i - mean||^2 by (r - 1) / (n - 1) where r groups of n peers are equal
/// (Ryabinin et al. 2021, arXiv 2103.03239, whose (r - 1)/n + r/n^2 is larger by O(1/n^2)).
std::unique_ptr<Meetings> MakeRandomGroups(size_t peers, size_t size, uint64_t seed);

/// Pairs by a common random permutation (NoLoCo, Kolehmainen et al. 2025, arXiv 2506.10911). Of an odd number of peers
/// one is alone.
std::unique_ptr<Meetings> MakePairs(size_t peers, uint64_t seed);

/// A grid of `dims` dimensions of `side` cells: peers are in cells at random, one in each at most, and stay there. In
/// round t those meet who differ in coordinate t mod `dims` alone. In a grid that is nearly empty some may never meet
/// others. This is how Ryabinin et al. 2021 simulate Moshpit.
/// Throws ConfigError ("peers: ...") where there are fewer cells than peers.
std::unique_ptr<Meetings> MakeGrid(size_t peers, size_t side, size_t dims, uint64_t seed);

/// Moshpit All-Reduce (Ryabinin et al. 2021, algorithm 1). A peer has a key of N - 1 digits base M (N `dims`, M
/// `side`), at first digit j = floor(i / M^j) mod M. In a round it announces itself under (round, key) and meets those
/// who are there; its index in a random order of them, that all know, modulo M, is appended to the key, and the first
/// digit goes. An index is of all who announced themselves: who dies in the exchange takes no place from the others,
/// and has the key of the next round when it comes back. Without failures the mean is exact after N rounds where n = k
/// M^(N-1), k <= M. More peers than M^N meet in groups of more than M. A peer that is alone keeps what it has and gets
/// the index 0: n <= M peers are alone in all rounds but one of N, in which all meet. `registry` outlives it;
/// announcements last `seconds` there. Throws ConfigError ("dims: ...").
std::unique_ptr<Meetings> MakeMoshpit(size_t peers, size_t side, size_t dims, uint64_t seed, Registry& registry,
                                      double seconds);

}  // namespace gradwire
