// SPDX-License-Identifier: Apache-2.0
#include "averaging/meetings.h"

#include <algorithm>

#include <fmt/format.h>

#include "averaging/shuffle.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

class OneGroup final : public Meetings {
 public:
  explicit OneGroup(size_t peers) {
    for (uint32_t i = 0; i < peers; ++i) groups_[0].push_back(i);
  }
  const std::vector<Group>& Next() override { return groups_; }

 private:
  std::vector<Group> groups_ = std::vector<Group>(1);
};

/// Of a random order, stretches of equal length.
class RandomGroups final : public Meetings {
 public:
  RandomGroups(size_t peers, size_t groups, uint64_t seed) : peers_(peers), groups_(groups), seed_(seed) {}

  const std::vector<Group>& Next() override {
    const std::vector<uint32_t> order = Shuffled(peers_, StreamOf(seed_, MeetDraw::kGroups, round_++));
    const auto place = [&](size_t g) {
      return order.begin() + static_cast<std::ptrdiff_t>(peers_ * g / groups_.size());
    };
    for (size_t g = 0; g < groups_.size(); ++g) {
      groups_[g].assign(place(g), place(g + 1));
      std::ranges::sort(groups_[g]);
    }
    return groups_;
  }

 private:
  const size_t peers_;
  std::vector<Group> groups_;
  const uint64_t seed_;
  uint64_t round_ = 0;
};

class Grid final : public Meetings {
 public:
  /// By dimension and then by the other coordinates.
  Grid(size_t peers, size_t side, size_t dims, size_t cells, uint64_t seed) : lines_(dims) {
    const std::vector<uint32_t> order = Shuffled(cells, StreamOf(seed, MeetDraw::kCells, 0));
    size_t stride = 1;
    for (std::vector<Group>& lines : lines_) {
      lines.resize(cells / side);
      for (uint32_t i = 0; i < peers; ++i) lines[order[i] / (stride * side) * stride + order[i] % stride].push_back(i);
      std::erase_if(lines, [](const Group& line) { return line.empty(); });
      lines.shrink_to_fit();  // peers may be few
      stride *= side;
    }
  }
  const std::vector<Group>& Next() override { return lines_[round_++ % lines_.size()]; }

 private:
  std::vector<std::vector<Group>> lines_;
  size_t round_ = 0;
};

}  // namespace

std::unique_ptr<Meetings> MakeOneGroup(size_t peers) { return std::make_unique<OneGroup>(peers); }

std::unique_ptr<Meetings> MakeRandomGroups(size_t peers, size_t size, uint64_t seed) {
  return std::make_unique<RandomGroups>(peers, std::max<size_t>(1, peers / size), seed);
}

std::unique_ptr<Meetings> MakePairs(size_t peers, uint64_t seed) {
  return std::make_unique<RandomGroups>(peers, (peers + 1) / 2, seed);
}

std::unique_ptr<Meetings> MakeGrid(size_t peers, size_t side, size_t dims, uint64_t seed) {
  size_t cells = 1;
  for (size_t j = 0; j < dims && cells <= kMostPeers; ++j) cells *= side;
  if (cells > kMostPeers)
    throw ConfigError("dims",
                      fmt::format("found {} of {} cells each, expected at most {} cells", dims, side, kMostPeers));
  if (cells < peers)
    throw ConfigError("peers",
                      fmt::format("found {}, expected at most {}, a cell each of a grid of {}^{}; a larger side "
                                  "or more dims have more, and the keys of moshpit need no cells",
                                  peers, cells, side, dims));
  return std::make_unique<Grid>(peers, side, dims, cells, seed);
}

}  // namespace gradwire
