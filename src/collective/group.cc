// SPDX-License-Identifier: Apache-2.0
#include "collective/group.h"

#include <algorithm>

#include "base/notice.h"
#include "gradwire/error.h"

namespace gradwire {

std::string Group::NameRank(int rank) const { return NameRanks({rank}); }

std::string Group::NameRanks(const std::vector<int>& some) const {
  const std::string own = gradwire::NameRanks(some);
  if (is_job()) return own;
  std::vector<int> of_job;
  for (const int rank : some) of_job.push_back(ranks[static_cast<size_t>(rank)]);
  return own + " of " + name + " (" + gradwire::NameRanks(of_job) + " of the job)";
}

Group Group::Narrow(std::span<const int> some, int size, int own, const std::string& new_name) const {
  const bool ascends = std::ranges::adjacent_find(some, std::greater_equal<>()) == some.end();
  const bool is_there = !some.empty() && some.front() >= 0 && some.back() < size;
  if (!ascends || !is_there || !std::ranges::binary_search(some, own))
    throw Error("the group " + new_name + " of " + gradwire::NameRanks({some.begin(), some.end()}) +
                ": expected ranks from 0 to " + std::to_string(size - 1) + " that ascend, with rank " +
                std::to_string(own) + ", which makes it, among them");
  Group group{new_name, {}};
  for (const int rank : some) group.ranks.push_back(is_job() ? rank : ranks[static_cast<size_t>(rank)]);
  return group;
}

int PlaceOf(int rank, std::span<const int> ranks) {
  return static_cast<int>(std::ranges::find(ranks, rank) - ranks.begin());
}

std::string GroupKey(std::span<const int> ranks, const std::string& name, size_t time) {
  std::string key;
  for (const int rank : ranks) key += std::to_string(rank) + ",";
  return key + std::to_string(time) + "/" + name;
}

}  // namespace gradwire
