// SPDX-License-Identifier: Apache-2.0
#include <map>

#include <fmt/format.h>

#include "averaging/meetings.h"
#include "averaging/shuffle.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

/// A key is one number, its first digit the lowest.
class Moshpit final : public Meetings {
 public:
  Moshpit(size_t peers, uint32_t side, uint32_t keys, uint64_t seed, Registry& registry, double seconds)
      : side_(side), keys_(keys), seed_(seed), registry_(registry), seconds_(seconds) {
    for (size_t i = 0; i < peers; ++i) key_of_.push_back(static_cast<uint32_t>(i % keys));
  }

  const std::vector<Group>& Next() override {
    groups_.clear();
    std::map<uint32_t, Group> found;  // by key
    for (uint32_t i = 0; i < key_of_.size(); ++i) registry_.Announce(Name(key_of_[i]), i, seconds_);
    for (const uint32_t key : key_of_) found[key] = registry_.Members(Name(key));  // each peer asks
    for (auto& [key, group] : found) {
      const std::vector<uint32_t> index = Shuffled(group.size(), StreamOf(seed_, MeetDraw::kOrder, round_, key));
      for (size_t place = 0; place < group.size(); ++place)
        key_of_[group[place]] = static_cast<uint32_t>((key + uint64_t{index[place] % side_} * keys_) / side_);
      groups_.push_back(std::move(group));
    }
    ++round_;
    return groups_;
  }

 private:
  /// The round is in it: whoever is late, or lives on in the registry, is no member of another round's group.
  std::string Name(uint32_t key) const {
    std::string name = fmt::format("moshpit/{}", round_);
    for (uint64_t left = keys_; left > 1; left /= side_, key /= side_) name += fmt::format(".{}", key % side_);
    return name;
  }

  const uint32_t side_, keys_;
  const uint64_t seed_;
  Registry& registry_;
  const double seconds_;
  std::vector<uint32_t> key_of_;  // by peer
  std::vector<Group> groups_;
  uint64_t round_ = 0;
};

}  // namespace

std::unique_ptr<Meetings> MakeMoshpit(size_t peers, size_t side, size_t dims, uint64_t seed, Registry& registry,
                                      double seconds) {
  uint64_t keys = 1;
  for (size_t j = 1; j < dims && keys <= kMostPeers; ++j) keys *= side;
  if (keys > kMostPeers)
    throw ConfigError(
        "dims", fmt::format("found {} with {} digits' values, expected at most {} keys of dims - 1 digits", dims, side,
                            kMostPeers));
  return std::make_unique<Moshpit>(peers, static_cast<uint32_t>(side), static_cast<uint32_t>(keys), seed, registry,
                                   seconds);
}

}  // namespace gradwire
